/** Latency heatmap with percentile lines: uPlot draws axes, cursor and brush, the cells are one draw hook. */
import uPlot from 'uplot';
import type { HeatmapData, Series } from '../api/types.ts';
import * as f from '../text/format.ts';
import { type Box, type Selection, selectionOf } from './box.ts';
import { colour, heatRamp } from './palette.ts';
import { logTicks, occupied } from './scale.ts';

export interface HeatInput {
  series: Series;
  heatmap: HeatmapData;
  from: number;
  to: number;
  markers?: Marker[];
}

/** A moment that is marked with its name: a release. */
export interface Marker {
  at: number;
  name: string;
}

const HEIGHT = 252;

export function axis(): uPlot.Axis {
  return {
    stroke: colour('--ink-3'),
    font: '11px "Inter Variable", sans-serif',
    ticks: { show: false },
    grid: { stroke: colour('--line-2'), width: 1 },
  };
}

export function timeAxis(from: number, to: number): uPlot.Axis {
  const withDay = to - from > 100_000;
  return {
    ...axis(),
    size: 24,
    space: withDay ? 90 : 70,
    grid: { show: false },
    // A label whose half is wider than what is left beside its moment would be cut by the edge.
    values: (chart, values) =>
      values.map((t) => {
        const left = chart.width - chart.bbox.left / uPlot.pxRatio - chart.valToPos(t, 'x');
        return left < (withDay ? 32 : 16) ? '' : withDay ? `${f.day(t).slice(5)} ${f.clock(t)}` : f.clock(t);
      }),
  };
}

/** What the window of latencies must show: the buckets in use, rounded out to a little more than a decade. */
export function latencyWindow({ edges_ms: edges, counts }: HeatmapData): [number, number] {
  const sums = edges.slice(1).map((_, j) => counts.reduce((sum, column) => sum + (column[j] ?? 0), 0));
  const [first, last] = occupied(sums);
  const low = Math.max(edges[first] ?? 1, 0.05);
  const high = Math.max(edges[last + 1] ?? 1000, low * 12);
  return [low, high];
}

export function makeHeatmap(
  host: HTMLElement,
  input: HeatInput,
  tip: HTMLElement,
  select: (selection: Selection | null) => void,
): uPlot {
  const { series, heatmap, from, to, markers = [] } = input;
  const [low, high] = latencyWindow(heatmap);
  const middles = series.t.map((t) => t + series.step / 2);
  const ink = colour('--ink');
  const line = (label: string, dash: number[] | undefined, width: number): uPlot.Series => ({
    label,
    stroke: ink,
    width,
    ...(dash ? { dash } : {}),
    points: { show: false },
  });
  const halo: uPlot.Series = { stroke: colour('--panel'), alpha: 0.78, width: 4.5, points: { show: false } };
  return new uPlot(
    {
      width: host.clientWidth,
      height: HEIGHT,
      padding: [markers.length ? 22 : 8, 12, 0, 0],
      scales: { x: { range: [from, to] }, y: { distr: 3, range: [low, high] } },
      axes: [
        timeAxis(from, to),
        {
          ...axis(),
          size: 58,
          splits: () => logTicks(low, high),
          filter: (_, values) => values,
          values: (_, values) => values.map((v) => f.mark(v)),
        },
      ],
      series: [{}, halo, halo, halo, line('p50', undefined, 1.8), line('p95', [6, 4], 1.7), line('p99', [1.5, 3], 1.7)],
      cursor: { drag: { x: true, y: true, setScale: false, uni: 12 }, points: { show: false }, sync: { key: 'time' } },
      legend: { show: false },
      hooks: {
        drawAxes: [(u) => cells(u, input)],
        draw: [(u) => flags(u, markers)],
        setCursor: [(u) => hover(u, input, tip)],
        setSelect: [(u) => select(selected(u, input))],
      },
    },
    [middles, series.p50_ms, series.p95_ms, series.p99_ms, series.p50_ms, series.p95_ms, series.p99_ms],
    host,
  );
}

function cells(u: uPlot, { series, heatmap }: HeatInput): void {
  const most = heatmap.counts.reduce((max, column) => Math.max(max, ...column), 1);
  const ramp = heatRamp();
  const c = u.ctx;
  c.save();
  c.beginPath();
  c.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
  c.clip();
  const ys = heatmap.edges_ms.map((edge) => Math.round(u.valToPos(Math.max(edge, 1e-3), 'y', true)));
  heatmap.counts.forEach((column, i) => {
    const left = Math.round(u.valToPos(series.t[i]!, 'x', true));
    const right = Math.round(u.valToPos(series.t[i]! + series.step, 'x', true));
    column.forEach((count, j) => {
      if (!count) return;
      c.fillStyle = ramp[Math.min(63, Math.round(63 * (count / most) ** 0.42))]!;
      c.fillRect(left, ys[j + 1]!, Math.max(1, right - left), Math.max(1, ys[j]! - ys[j + 1]!));
    });
  });
  c.restore();
}

function hover(u: uPlot, { series, heatmap }: HeatInput, tip: HTMLElement): void {
  const { left, top } = u.cursor;
  const i = left === undefined || left < 0 ? -1 : Math.floor((u.posToVal(left, 'x') - series.t[0]!) / series.step);
  const column = heatmap.counts[i];
  tip.hidden = !column;
  if (!column || left === undefined || top === undefined) return;
  const value = u.posToVal(top, 'y');
  const j = Math.max(0, heatmap.edges_ms.findIndex((edge) => edge > value) - 1);
  const [low, high] = [heatmap.edges_ms[j], heatmap.edges_ms[j + 1]];
  tip.textContent = `${f.clock(series.t[i]!)} · ${f.ms(low)} to ${f.ms(high)}: ${f.whole(column[j] ?? 0)} · p50 ${f.ms(series.p50_ms[i])} p95 ${f.ms(series.p95_ms[i])} p99 ${f.ms(series.p99_ms[i])}`;
  const x = left + u.bbox.left / devicePixelRatio;
  tip.style.left = `${Math.max(0, Math.min(x + 14, u.width - tip.offsetWidth - 8))}px`;
  tip.style.top = `${Math.max(0, top - 30)}px`;
}

function selected(u: uPlot, input: HeatInput): Selection | null {
  const { left, top, width, height } = u.select;
  if (width < 4 || height < 4) return null;
  return selectionOf(input, {
    from: u.posToVal(left, 'x'),
    to: u.posToVal(left + width, 'x'),
    lowMs: u.posToVal(top + height, 'y'),
    highMs: u.posToVal(top, 'y'),
  });
}

/** Shows a box on a heatmap, or none, and tells nobody. */
export function drawBox(u: uPlot, box: Box | null): void {
  const within = (value: number, most: number) => Math.max(0, Math.min(most, value));
  const { clientWidth: width, clientHeight: height } = u.over;
  const [left, right] = box ? [box.from, box.to].map((t) => within(u.valToPos(t, 'x'), width)) : [0, 0];
  const [top, bottom] = box ? [box.highMs, box.lowMs].map((value) => within(u.valToPos(value, 'y'), height)) : [0, 0];
  u.setSelect({ left: left!, top: top!, width: right! - left!, height: bottom! - top! }, false);
}

/** The same times on a chart that shares them. */
export function drawBand(u: uPlot, box: Box | null): void {
  const [left, right] = box
    ? [box.from, box.to].map((t) => Math.max(0, Math.min(u.over.clientWidth, u.valToPos(t, 'x'))))
    : [0, 0];
  u.setSelect({ left: left!, top: 0, width: right! - left!, height: box ? u.over.clientHeight : 0 }, false);
}

/** Releases: a line each, and the name above it where there is room. */
function flags(u: uPlot, markers: Marker[]): void {
  const c = u.ctx;
  const ratio = devicePixelRatio || 1;
  let taken = -Infinity;
  c.save();
  c.font = `500 ${11 * ratio}px "Inter Variable", sans-serif`;
  c.textBaseline = 'middle';
  c.textAlign = 'left';
  for (const { at, name } of [...markers].sort((a, b) => a.at - b.at)) {
    const x = Math.round(u.valToPos(at, 'x', true));
    const text = f.tame(name, 18);
    const width = c.measureText(text).width + 12 * ratio;
    const left = Math.max(u.bbox.left, Math.min(x - width / 2, u.bbox.left + u.bbox.width - width));
    c.fillStyle = colour('--ink');
    c.fillRect(x, 17 * ratio, ratio, u.bbox.top + u.bbox.height - 17 * ratio);
    if (left < taken) continue;
    c.beginPath();
    c.roundRect(left, ratio, width, 17 * ratio, 4 * ratio);
    c.fill();
    c.fillStyle = colour('--panel');
    c.fillText(text, left + 6 * ratio, 10 * ratio);
    taken = left + width + 4 * ratio;
  }
  c.restore();
}
