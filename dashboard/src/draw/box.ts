/** A box on the heatmap: whole cells of it, made by mouse or by keys, and the times and latencies they stand for. */
import type { HeatmapData, Series } from '../api/types.ts';
import { occupied } from './scale.ts';

export interface Grid {
  series: Pick<Series, 't' | 'step' | 'p95_ms'>;
  heatmap: HeatmapData;
}

/** Seconds and milliseconds. */
export interface Box {
  from: number;
  to: number;
  lowMs: number;
  highMs: number;
}

export interface Selection extends Box {
  count: number;
}

/** Columns and rows, both ends within. */
export interface Cells {
  first: number;
  last: number;
  low: number;
  high: number;
}

/** The cells whose middle lies in a box, or else the one that holds the box's own; none where it lies outside. */
export function cellsOf({ series, heatmap }: Grid, box: Box): Cells | null {
  const { t, step } = series;
  const edges = heatmap.edges_ms;
  const columns = span(
    t.length,
    (i) => t[i]! + step / 2,
    box.from,
    box.to,
    (i) => [t[i]!, t[i]! + step],
  );
  const rows = span(
    edges.length - 1,
    (j) => middle(edges[j]!, edges[j + 1]!),
    box.lowMs,
    box.highMs,
    (j) => [edges[j]!, edges[j + 1]!],
    middle(box.lowMs, box.highMs),
  );
  return columns && rows && { first: columns[0], last: columns[1], low: rows[0], high: rows[1] };
}

/** Of a latency axis, which is logarithmic. */
const middle = (low: number, high: number): number => Math.sqrt(Math.max(low, 1e-3) * Math.max(high, 1e-3));

function span(
  count: number,
  centre: (i: number) => number,
  low: number,
  high: number,
  edges: (i: number) => [number, number],
  within = (low + high) / 2,
): [number, number] | null {
  const all = Array.from({ length: Math.max(0, count) }, (_, i) => i);
  const inside = all.filter((i) => centre(i) >= low && centre(i) <= high);
  if (inside.length) return [inside[0]!, inside.at(-1)!];
  const holder = all.find((i) => within >= edges(i)[0] && within < edges(i)[1]);
  return holder === undefined ? null : [holder, holder];
}

export function boxOf({ series, heatmap }: Grid, cells: Cells): Box {
  return {
    from: series.t[cells.first]!,
    to: series.t[cells.last]! + series.step,
    lowMs: heatmap.edges_ms[cells.low]!,
    highMs: heatmap.edges_ms[cells.high + 1]!,
  };
}

export function countIn({ heatmap }: Grid, cells: Cells): number {
  let count = 0;
  for (let i = cells.first; i <= cells.last; i++)
    for (let j = cells.low; j <= cells.high; j++) count += heatmap.counts[i]?.[j] ?? 0;
  return count;
}

/** The box that whole cells make of any box, with the calls in it. */
export function selectionOf(grid: Grid, box: Box): Selection | null {
  const cells = cellsOf(grid, box);
  return cells && { ...boxOf(grid, cells), count: countIn(grid, cells) };
}

/** Where a box that keys make begins: the newest column with calls, around its p95. */
export function firstCells(grid: Grid): Cells | null {
  const { series, heatmap } = grid;
  const column = heatmap.counts.findLastIndex((counts) => counts.some((count) => count > 0));
  if (column < 0) return null;
  const p95 = series.p95_ms[column] ?? 0;
  const row = heatmap.edges_ms.findLastIndex((edge, j) => j < heatmap.edges_ms.length - 1 && edge <= p95);
  return { first: column, last: column, low: Math.max(0, row), high: Math.max(0, row) };
}

/** The cells after an arrow key: all of them moved, or with `grow` the end they grow to. */
export function moved(grid: Grid, cells: Cells, key: string, grow: boolean): Cells {
  const { counts } = grid.heatmap;
  const columns = counts.length - 1;
  const sums = grid.heatmap.edges_ms.slice(1).map((_, j) => counts.reduce((sum, column) => sum + (column[j] ?? 0), 0));
  const [bottom, top] = occupied(sums);
  const [x, y] = [{ ArrowLeft: -1, ArrowRight: 1 }[key] ?? 0, { ArrowDown: -1, ArrowUp: 1 }[key] ?? 0];
  const { first, last, low, high } = cells;
  if (grow)
    return {
      first: x < 0 ? Math.max(0, first - 1) : first,
      last: x > 0 ? Math.min(columns, last + 1) : last,
      low: y < 0 ? Math.max(bottom, low - 1) : low,
      high: y > 0 ? Math.min(top, high + 1) : high,
    };
  const [dx, dy] = [
    x < 0 ? -Math.min(1, first) : x > 0 ? Math.min(1, columns - last) : 0,
    y < 0 ? -Math.min(1, Math.max(0, low - bottom)) : y > 0 ? Math.min(1, Math.max(0, top - high)) : 0,
  ];
  return { first: first + dx, last: last + dx, low: low + dy, high: high + dy };
}
