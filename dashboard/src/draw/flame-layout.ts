/** The tree a flame graph draws: columns, parents before children, and where each frame stands. */

export interface FlameTree {
  label: string[];
  place: string[];
  category: string[];
  parent: number[];
  total: number[];
  own: number[];
  /** the same before, where two profiles are compared, and which of both is coloured by */
  was?: { total: number[]; own: number[]; by: 'own' | 'total' };
}

export interface FlameLayout extends FlameTree {
  kids: number[][];
  depth: Uint16Array;
  x: Float64Array;
}

/** Children stand widest first, side by side from their parent's left edge. */
export function layout(tree: FlameTree): FlameLayout {
  const length = tree.parent.length;
  const kids: number[][] = Array.from({ length }, () => []);
  const depth = new Uint16Array(length);
  const x = new Float64Array(length);
  for (let i = 1; i < length; i++) kids[tree.parent[i]!]?.push(i);
  for (let i = 0; i < length; i++) {
    kids[i]!.sort((a, b) => tree.total[b]! - tree.total[a]!);
    let at = x[i]!;
    for (const kid of kids[i]!) {
      x[kid] = at;
      at += tree.total[kid]!;
      depth[kid] = depth[i]! + 1;
    }
  }
  return { ...tree, kids, depth, x };
}

export function matches(tree: FlameTree, index: number, wanted: string): boolean {
  return tree.label[index]!.toLowerCase().includes(wanted) || tree.place[index]!.toLowerCase().includes(wanted);
}

/** The share of all time below frames that match; a match inside a match counts once. */
export function matchedShare(tree: FlameLayout, wanted: string): number {
  if (!wanted || !tree.total[0]) return 0;
  let sum = 0;
  const stack = [0];
  while (stack.length) {
    const i = stack.pop()!;
    if (matches(tree, i, wanted)) sum += tree.total[i]!;
    else stack.push(...tree.kids[i]!);
  }
  return sum / tree.total[0];
}

export interface Box {
  index: number;
  x: number;
  y: number;
  width: number;
  above: boolean;
}

/** The boxes in view when `zoom` fills the width: its ancestors full width, thinner than half a pixel left out. */
export function boxes(tree: FlameLayout, zoom: number, width: number, row: number): Box[] {
  const scale = width / (tree.total[zoom] || 1);
  const left = tree.x[zoom]!;
  const chain = new Set<number>();
  for (let i = zoom; i >= 0; i = i === 0 ? -1 : tree.parent[i]!) chain.add(i);
  const result: Box[] = [];
  const stack = tree.parent.length ? [0] : [];
  while (stack.length) {
    const index = stack.pop()!;
    const above = chain.has(index) && index !== zoom;
    const x = above ? 0 : (tree.x[index]! - left) * scale;
    const wide = above ? width : tree.total[index]! * scale;
    if (wide < 0.5 || x > width || x + wide < 0) continue;
    result.push({ index, x, y: tree.depth[index]! * row, width: wide, above });
    for (const kid of tree.kids[index]!) if (!above || chain.has(kid)) stack.push(kid);
  }
  return result;
}

/** Where the lowest box stands that one can see: a deep tower a pixel wide is not worth a screen of nothing. */
export const lowest = (shown: Box[]): number => shown.reduce((y, box) => (box.width >= 4 && box.y > y ? box.y : y), 0);
