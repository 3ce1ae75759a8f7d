/** When these failures happened. */
import uPlot from 'uplot';
import type { ErrorAnswer } from '../../api/errors.ts';
import { Chart } from '../../draw/chart.tsx';
import { axis, timeAxis } from '../../draw/heatmap.ts';
import { colour } from '../../draw/palette.ts';
import { Panel } from '../../parts/panel.tsx';
import * as f from '../../text/format.ts';

export function Trend({ data }: { data: ErrorAnswer }) {
  const { series, error } = data;
  const most = Math.max(...series.count);
  const busiest = series.t[series.count.indexOf(most)] ?? data.window.from;
  return (
    <Panel id="trend" title="Over time" sub={`failures each ${f.lasted(series.step)}`}>
      <Chart
        label={`${f.plural(error.count, 'failure')} over time, most from ${f.moment(busiest)} on: ${f.whole(most)} in ${f.lasted(series.step)}.`}
        height={120}
        data={data}
        make={(host) => makeBars(host, data)}
      />
    </Panel>
  );
}

function makeBars(host: HTMLElement, { series, window }: ErrorAnswer): uPlot {
  const { from, to } = window;
  const most = Math.max(...series.count, 1);
  // the running step ends with the range: its bar stands in the middle of what there is of it
  const middles = series.t.map((t) => (Math.max(t, from) + Math.min(t + series.step, to)) / 2);
  return new uPlot(
    {
      width: host.clientWidth,
      height: 120,
      padding: [8, 12, 0, 0],
      scales: { x: { range: [from, to] }, y: { range: () => [0, most * 1.12] } },
      axes: [
        timeAxis(from, to),
        { ...axis(), size: 44, space: 28, values: (_, values) => values.map((v) => (Number.isInteger(v) ? f.whole(v) : '')) },
      ],
      series: [
        {},
        {
          label: 'failures',
          fill: colour('--bad'),
          stroke: 'transparent',
          width: 0,
          paths: uPlot.paths.bars!({ size: [0.75, 14], gap: 0 }),
          points: { show: false },
        },
      ],
      cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
      legend: { show: false },
    },
    [middles, series.count],
    host,
  );
}
