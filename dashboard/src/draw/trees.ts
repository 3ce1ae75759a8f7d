/** Profiles and samples as the trees and tables that pages draw. */
import type { Clock, ProfileAnswer } from '../api/profile.ts';
import type { Sample } from '../api/trace.ts';
import type { Frame, HotLine } from '../api/types.ts';
import { shortPath, tame } from '../text/format.ts';
import type { FlameTree } from './flame-layout.ts';

const ROOT = { label: 'all samples', place: '', category: 'lib' };

/** The API's columns, in nanoseconds, as a tree in milliseconds. */
export function profileTree({ frames, nodes }: ProfileAnswer): FlameTree {
  const tree: FlameTree = {
    label: [],
    place: [],
    category: [],
    parent: nodes.parent,
    total: nodes.total_ns.map((n) => n / 1e6),
    own: nodes.own_ns.map((n) => n / 1e6),
  };
  const labels = frames.function.map((name) => tame(name, 200));
  const places = frames.file.map((file, i) => placeOf(file, frames.line[i]!));
  for (const frame of nodes.frame) {
    tree.label.push(frame < 0 ? ROOT.label : labels[frame]!);
    tree.place.push(frame < 0 ? ROOT.place : places[frame]!);
    tree.category.push(frame < 0 ? ROOT.category : frames.category[frame]!);
  }
  return tree;
}

/** Samples merged by stack: one node a distinct path of frames. On the CPU clock those that used none are left out. */
export function sampleTree(frames: Frame[], samples: Sample[], clock: Clock = 'wall'): FlameTree {
  const tree: FlameTree = {
    label: [ROOT.label],
    place: [ROOT.place],
    category: [ROOT.category],
    parent: [-1],
    total: [0],
    own: [0],
  };
  const kids: Map<number, number>[] = [new Map()];
  for (const { stack, weight_ms, cpu_ms } of samples) {
    const weight = clock === 'cpu' ? (cpu_ms ?? 0) : weight_ms;
    if (!weight) continue;
    let node = 0;
    tree.total[0]! += weight;
    for (const index of stack) {
      let next = kids[node]!.get(index);
      if (next === undefined) {
        next = tree.parent.push(node) - 1;
        const frame = frames[index];
        tree.label.push(tame(frame?.function ?? '?', 200));
        tree.place.push(frame ? placeOf(frame.file, frame.line) : '');
        tree.category.push(frame?.category ?? 'lib');
        tree.total.push(0);
        tree.own.push(0);
        kids[node]!.set(index, next);
        kids.push(new Map());
      }
      tree.total[next]! += weight;
      node = next;
    }
    tree.own[node]! += weight;
  }
  return tree;
}

/** Servers and frameworks stand above every stack alike: the tree without what all samples share above the first own frame. */
export function withoutPlumbing(tree: FlameTree): { tree: FlameTree; hidden: number } {
  const kids: number[][] = tree.parent.map(() => []);
  tree.parent.forEach((parent, i) => kids[parent]?.push(i));
  const shared = new Set<number>();
  for (let at = 0; kids[at]?.length === 1;) {
    const next = kids[at]![0]!;
    if (tree.category[next] === 'app' || tree.own[next]! > 0) break;
    shared.add(next);
    at = next;
  }
  const kept = tree.parent.map((_, i) => i).filter((i) => !shared.has(i));
  const place = new Map(kept.map((old, now) => [old, now]));
  const pick = <T>(column: T[]): T[] => kept.map((i) => column[i]!);
  const parent = kept.map((i) => (i ? (place.get(tree.parent[i]!) ?? 0) : -1));
  return {
    tree: {
      label: pick(tree.label),
      place: pick(tree.place),
      category: pick(tree.category),
      parent,
      total: pick(tree.total),
      own: pick(tree.own),
      ...(tree.was && { was: { ...tree.was, total: pick(tree.was.total), own: pick(tree.was.own) } }),
    },
    hidden: shared.size,
  };
}

/** How many outer frames all samples share before the first own one. */
export function plumbingDepth(frames: Frame[], samples: Sample[]): number {
  const first = samples[0]?.stack ?? [];
  let depth = 0;
  while (
    depth < first.length - 1 &&
    frames[first[depth]!]?.category !== 'app' &&
    samples.every(({ stack }) => stack.length > depth + 1 && stack[depth] === first[depth])
  )
    depth++;
  return depth;
}

/** Own and total time by line, most own time first; a line met twice in one stack counts once. */
export function hotLines(frames: Frame[], samples: Sample[]): HotLine[] {
  const own = new Map<number, number>();
  const total = new Map<number, number>();
  let all = 0;
  for (const { stack, weight_ms: weight } of samples) {
    all += weight;
    for (const index of new Set(stack)) total.set(index, (total.get(index) ?? 0) + weight);
    const leaf = stack.at(-1);
    if (leaf !== undefined) own.set(leaf, (own.get(leaf) ?? 0) + weight);
  }
  return [...total]
    .map(([index, total_ms]) => ({
      ...frames[index]!,
      own_ms: own.get(index) ?? 0,
      total_ms,
      share: (own.get(index) ?? 0) / (all || 1),
    }))
    .sort((a, b) => b.own_ms - a.own_ms || b.total_ms - a.total_ms);
}

export interface LaneBox {
  frame: number;
  level: number;
  from: number;
  to: number;
  state: Sample['state'];
  leaf: boolean;
}

/** Neighbouring samples that share a frame and all above it merge into one box of the samples lane. */
export function laneBoxes(samples: Sample[], gap: number): LaneBox[] {
  const done: LaneBox[] = [];
  let open: LaneBox[] = [];
  let end = -Infinity;
  for (const { t_ms: at, weight_ms: weight, stack, state } of samples) {
    const from = Math.max(0, at - weight);
    const broken = from - end > gap;
    let shared = 0;
    if (!broken)
      while (
        shared < open.length &&
        shared < stack.length &&
        open[shared]!.frame === stack[shared] &&
        open[shared]!.state === state
      )
        shared++;
    done.push(...open.slice(shared));
    open = open.slice(0, shared);
    for (const box of open) box.to = at;
    for (let level = shared; level < stack.length; level++)
      open.push({ frame: stack[level]!, level, from, to: at, state, leaf: false });
    open.forEach((box, level) => {
      box.leaf = level === stack.length - 1;
    });
    end = at;
  }
  return [...done, ...open];
}

export const placeOf = (file: string, line: number): string => (line > 0 ? `${shortPath(file)}:${line}` : shortPath(file));
