/** The bars of a histogram: buckets joined until they are few enough to draw, of one side or of two. */
import type { OverlaidData } from '../api/compare.ts';
import type { HistogramData } from '../api/types.ts';
import { occupied } from './scale.ts';

const COLUMNS = 44;

export interface Bin {
  low: number;
  high: number;
  count: number;
}

/** Neighbouring buckets joined until at most `most` bars are left, between the first and last in use: where each begins and ends. */
function joined(edges: number[], counts: number[], most = COLUMNS): { from: number; end: number; low: number; high: number }[] {
  const [first, last] = occupied(counts);
  const join = Math.max(1, Math.ceil((last - first + 1) / most));
  const result = [];
  for (let from = first; from <= last; from += join) {
    const end = Math.min(from + join, last + 1);
    result.push({ from, end, low: Math.max(edges[from] ?? 0, 1e-3), high: edges[end] ?? edges.at(-1) ?? 1 });
  }
  return result;
}

const sumOf = (counts: number[], from: number, end: number): number =>
  counts.slice(from, end).reduce((sum, count) => sum + count, 0);

export function bins({ edges_ms: edges, counts }: HistogramData, most = COLUMNS): Bin[] {
  return joined(edges, counts, most).map(({ from, end, low, high }) => ({ low, high, count: sumOf(counts, from, end) }));
}

export interface Both {
  low: number;
  high: number;
  before: number;
  after: number;
}

/** Both sides in the same bars, from the first to the last that either has calls in. */
export function together({ edges_ms, before, after }: OverlaidData): Both[] {
  const both = before.map((count, i) => count + after[i]!);
  return joined(edges_ms, both).map(({ from, end, low, high }) => ({
    low,
    high,
    before: sumOf(before, from, end),
    after: sumOf(after, from, end),
  }));
}
