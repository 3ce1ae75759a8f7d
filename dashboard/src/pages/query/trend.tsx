/** A statement over time: how long each run took, and how many there were. */
import uPlot from 'uplot';
import type { QueryAnswer } from '../../api/queries.ts';
import { Chart } from '../../draw/chart.tsx';
import { axis, timeAxis } from '../../draw/heatmap.ts';
import { colour } from '../../draw/palette.ts';
import { Panel } from '../../parts/panel.tsx';
import * as f from '../../text/format.ts';

export function Trend({ data }: { data: QueryAnswer }) {
  const { series, query } = data;
  const known = series.mean_ms.filter((value): value is number => value !== null);
  const label = known.length
    ? `Each run over time: from ${f.ms(Math.min(...known))} to ${f.ms(Math.max(...known))} on average, the slowest ${f.ms(query!.max_ms)}.`
    : 'No runs over time.';
  return (
    <Panel
      id="trend"
      title="Over time"
      sub={
        <span class="legend">
          <span>
            <i class="swatch k-db" />
            each run, on average
          </span>
          <span>
            <i class="swatch k-gc" />
            slowest run
          </span>
          <span>
            <i class="swatch k-wait" />
            runs a minute
          </span>
        </span>
      }
    >
      <Chart label={label} height={170} data={data} make={(host) => makeTimes(host, data)} />
      <Chart
        label={`Runs a minute over time: ${f.plural(query!.runs, 'run')} in all.`}
        height={84}
        data={data}
        make={(host) => makeRuns(host, data)}
      />
    </Panel>
  );
}

const middles = ({ series }: QueryAnswer): number[] => series.t.map((t) => t + series.step / 2);

function makeTimes(host: HTMLElement, data: QueryAnswer): uPlot {
  const { from, to } = data.window;
  const line = (label: string, stroke: string, width: number): uPlot.Series => ({
    label,
    stroke,
    width,
    spanGaps: true,
    points: { show: true, size: 4, fill: stroke },
  });
  return new uPlot(
    {
      width: host.clientWidth,
      height: 170,
      padding: [10, 12, 0, 0],
      scales: { x: { range: [from, to] }, y: { range: (_, __, max) => [0, Math.max(max, 1e-3) * 1.1] } },
      axes: [
        timeAxis(from, to),
        { ...axis(), size: 64, space: 32, values: (_, values) => values.map((v) => (v ? f.mark(v) : '')) },
      ],
      series: [{}, line('slowest run', colour('--k-gc'), 1), line('each run', colour('--k-db'), 2)],
      cursor: { sync: { key: 'time' }, y: false, drag: { x: false, y: false } },
      legend: { show: false },
    },
    [middles(data), data.series.max_ms, data.series.mean_ms],
    host,
  );
}

function makeRuns(host: HTMLElement, data: QueryAnswer): uPlot {
  const { from, to } = data.window;
  const minutes = data.series.step / 60;
  return new uPlot(
    {
      width: host.clientWidth,
      height: 84,
      padding: [6, 12, 0, 0],
      scales: { x: { range: [from, to] }, y: { range: (_, __, max) => [0, Math.max(max, 1e-6) * 1.12] } },
      axes: [
        { ...timeAxis(from, to), size: 4, values: (_, values) => values.map(() => '') },
        { ...axis(), size: 64, space: 28, values: (_, values) => values.map((v) => (v ? f.rate(v) : '')) },
      ],
      series: [
        {},
        {
          label: 'runs per minute',
          fill: `${colour('--ink-3')}66`,
          stroke: 'transparent',
          width: 0,
          paths: uPlot.paths.bars!({ size: [0.75, 12], gap: 0 }),
          points: { show: false },
        },
      ],
      cursor: { sync: { key: 'time' }, y: false, points: { show: false }, drag: { x: false, y: false } },
      legend: { show: false },
    },
    [middles(data), data.series.runs.map((runs) => runs / minutes)],
    host,
  );
}
