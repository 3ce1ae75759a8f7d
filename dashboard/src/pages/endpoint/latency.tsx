/** Latency of every call: heatmap with percentiles, calls and errors under it, and a box that opens its traces. */
import { useMemo, useState } from 'preact/hooks';
import type { EndpointAnswer } from '../../api/types.ts';
import { Chart } from '../../draw/chart.tsx';
import { type Selection, makeHeatmap } from '../../draw/heatmap.ts';
import { makeVolume } from '../../draw/volume.ts';
import { Panel } from '../../parts/panel.tsx';
import { useQuery } from '../../state/query.ts';
import type { Changes } from '../../state/url.ts';
import * as f from '../../text/format.ts';

export function Latency({ data, identity }: { data: EndpointAnswer; identity: Changes }) {
  const [box, setBox] = useState<Selection | null>(null);
  const input = useMemo(
    () => ({ series: data.series, heatmap: data.heatmap, from: data.window.from, to: data.window.to }),
    [data],
  );
  const { series } = data;
  const known = series.p95_ms.filter((value): value is number => value !== null);
  const summary = known.length
    ? `Latency heatmap with percentiles. p95 from ${f.ms(Math.min(...known))} to ${f.ms(Math.max(...known))}, last ${f.ms(known.at(-1))}.`
    : 'Latency heatmap, no calls.';
  return (
    <Panel id="latency" title="Latency of every call" sub="drag a box for its traces" tools={<HeatLegend />}>
      <Chart make={(host, tip) => makeHeatmap(host, input, tip, setBox)} data={input} label={summary} height={252} />
      <Chart
        make={(host) => makeVolume(host, input)}
        data={input}
        label={`Calls and errors per minute. ${f.plural(data.endpoint.errors, 'error')} in ${f.plural(data.endpoint.count, 'call')}.`}
        height={84}
      >
        <span class="chart-note legend">
          <span>
            <i class="swatch volume" />
            calls per minute
          </span>
          <span>
            <i class="swatch errors" />
            errors
          </span>
        </span>
      </Chart>
      {box && <Box box={box} identity={identity} />}
      <AsTable data={data} />
    </Panel>
  );
}

function HeatLegend() {
  return (
    <span class="legend">
      <span>
        <i class="line" />
        p50
      </span>
      <span>
        <i class="line p95" />
        p95
      </span>
      <span>
        <i class="line p99" />
        p99
      </span>
      <span class="ramp">
        few
        <i />
        <i />
        <i />
        <i />
        <i />
        <i />
        many
      </span>
    </span>
  );
}

function Box({ box, identity }: { box: Selection; identity: Changes }) {
  const query = useQuery();
  const href = query.link('traces', {
    ...identity,
    range: null,
    live: null,
    from: Math.floor(box.from),
    to: Math.ceil(box.to),
    min_ms: box.lowMs.toFixed(2),
    max_ms: box.highMs.toFixed(2),
  });
  return (
    <p class="selection" role="status">
      <b>{f.plural(box.count, 'call')}</b> of {f.ms(box.lowMs)} to {f.ms(box.highMs)}, {f.clock(box.from)} to {f.clock(box.to)}
      <a class="link" href={href}>
        Open their traces
      </a>{' '}
      <span class="muted">
        <kbd>Esc</kbd> clears
      </span>
    </p>
  );
}

/** The same figures for who cannot see a canvas, a dozen rows of them. */
function AsTable({ data: { series } }: { data: EndpointAnswer }) {
  const step = Math.max(1, Math.ceil(series.t.length / 12));
  return (
    <details class="as-table">
      <summary>As a table</summary>
      <div class="scroll" role="group" aria-label="Latency over time" tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col">From</th>
              <th scope="col" class="right">
                Calls
              </th>
              <th scope="col" class="right">
                Errors
              </th>
              <th scope="col" class="right">
                p50
              </th>
              <th scope="col" class="right">
                p95
              </th>
              <th scope="col" class="right">
                p99
              </th>
            </tr>
          </thead>
          <tbody>
            {series.t.map(
              (t, i) =>
                i % step === 0 && (
                  <tr key={t}>
                    <td>{f.moment(t)}</td>
                    <td class="right">{f.whole(series.count[i] ?? 0)}</td>
                    <td class="right">{f.whole(series.errors[i] ?? 0)}</td>
                    <td class="right">{f.ms(series.p50_ms[i])}</td>
                    <td class="right">{f.ms(series.p95_ms[i])}</td>
                    <td class="right">{f.ms(series.p99_ms[i])}</td>
                  </tr>
                ),
            )}
          </tbody>
        </table>
      </div>
    </details>
  );
}
