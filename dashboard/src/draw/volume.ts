/** Small time series that stand under the heatmap and share its cursor: calls with errors, memory. */
import uPlot from 'uplot';
import type { Series } from '../api/types.ts';
import * as f from '../text/format.ts';
import { colour } from './palette.ts';
import { axis, timeAxis } from './heatmap.ts';

interface Input {
  series: Series;
  from: number;
  to: number;
}

/** Calls per minute as bars, errors as bars on the same scale before them. */
export function makeVolume(host: HTMLElement, { series, from, to }: Input): uPlot {
  const minutes = series.step / 60;
  const bars = uPlot.paths.bars!({ size: [0.75, 12], gap: 0 });
  const bar = (label: string, fill: string): uPlot.Series => ({
    label,
    fill,
    stroke: 'transparent',
    width: 0,
    paths: bars,
    points: { show: false },
  });
  return new uPlot(
    {
      width: host.clientWidth,
      height: 84,
      padding: [6, 12, 0, 0],
      scales: { x: { range: [from, to] }, y: { range: (_, __, max) => [0, Math.max(max, 1e-6) * 1.12] } },
      axes: [
        { ...timeAxis(from, to), size: 4, values: (_, values) => values.map(() => '') },
        { ...axis(), size: 58, space: 28, values: (_, values) => values.map((v) => (v ? f.rate(v) : '')) },
      ],
      series: [{}, bar('calls per minute', `${colour('--ink-3')}66`), bar('errors per minute', colour('--bad'))],
      // a drag on the heatmap comes along with the cursor: it selects there and must not zoom here
      cursor: { sync: { key: 'time' }, y: false, points: { show: false }, drag: { x: false, y: false, setScale: false } },
      legend: { show: false },
    },
    [series.t.map((t) => t + series.step / 2), series.count.map((n) => n / minutes), series.errors.map((n) => n / minutes)],
    host,
  );
}

/** Resident memory that calls kept, over time. */
export function makeMemory(host: HTMLElement, { series, from, to }: Input): uPlot {
  const stroke = colour('--k-python');
  return new uPlot(
    {
      width: host.clientWidth,
      height: 130,
      padding: [8, 12, 0, 0],
      scales: { x: { range: [from, to] }, y: { range: (_, min, max) => [Math.min(0, min), Math.max(max, 1) * 1.1] } },
      axes: [timeAxis(from, to), { ...axis(), size: 64, space: 32, values: (_, values) => values.map((v) => f.kb(v)) }],
      series: [
        {},
        {
          label: 'RSS kept per call',
          stroke,
          width: 1.5,
          fill: `${stroke}22`,
          spanGaps: false,
          points: { show: true, size: 4, fill: stroke },
        },
      ],
      cursor: { sync: { key: 'time' }, y: false, drag: { x: false, y: false, setScale: false } },
      legend: { show: false },
    },
    [series.t.map((t) => t + series.step / 2), series.rss_kb ?? []],
    host,
  );
}
