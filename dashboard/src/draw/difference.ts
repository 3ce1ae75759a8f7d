/** Two profiles as one flame graph: as wide as time is after, coloured by what changed against before. */
import type { Frame } from '../api/types.ts';
import { tame } from '../text/format.ts';
import type { FlameTree } from './flame-layout.ts';
import { colour } from './palette.ts';
import { placeOf } from './trees.ts';

export type Measure = 'own' | 'total';

/** The API's tree, in nanoseconds a call. */
export interface Difference {
  frames: { [column in keyof Pick<Frame, 'function' | 'file' | 'line' | 'category'>]: Frame[column][] };
  nodes: {
    parent: number[];
    frame: number[];
    before_ns: number[];
    after_ns: number[];
    before_own_ns: number[];
    after_own_ns: number[];
  };
}

const ms = (column: number[]): number[] => column.map((ns) => ns / 1e6);

export function differenceTree({ frames, nodes }: Difference, by: Measure): FlameTree {
  const labels = frames.function.map((name) => tame(name, 200));
  const places = frames.file.map((file, i) => placeOf(file, frames.line[i]!));
  const column = (of: string[], root: string) => nodes.frame.map((frame) => (frame < 0 ? root : of[frame]!));
  return {
    label: column(labels, 'all samples'),
    place: column(places, ''),
    category: column(frames.category, 'lib'),
    parent: nodes.parent,
    total: ms(nodes.after_ns),
    own: ms(nodes.after_own_ns),
    was: { total: ms(nodes.before_ns), own: ms(nodes.before_own_ns), by },
  };
}

/** How much of all time a frame has more (or less) than before. */
export function changeOf(tree: FlameTree, index: number): number {
  const was = tree.was!;
  const all = Math.max(tree.total[0]!, was.total[0]!) || 1;
  return (tree[was.by][index]! - was[was.by][index]!) / all;
}

/** From no change to all of it in steps the eye can tell: small changes of big graphs still show. */
export const strength = (change: number): number => Math.min(1, Math.sqrt(Math.abs(change)) * 1.15);

/** Less of all time than this is drawn as none. */
export const SLIGHT = 0.002;

/** Mixes from the colour of no change to that of slower or faster. */
export function changePaint(): (change: number) => string {
  const [flat, up, down] = ['--diff-flat', '--diff-up', '--diff-down'].map((name) => channels(colour(name)));
  return (change) => {
    const to = change > 0 ? up! : down!;
    const share = Math.abs(change) < SLIGHT ? 0 : strength(change);
    return `rgb(${flat!.map((value, i) => Math.round(value + (to[i]! - value) * share)).join()})`;
  };
}

const channels = (hex: string): number[] => [1, 3, 5].map((i) => Number.parseInt(hex.slice(i, i + 2), 16));
