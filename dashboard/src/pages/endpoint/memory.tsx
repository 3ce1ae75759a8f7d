/** Memory that calls kept, from those that had the process to themselves. */
import { useMemo } from 'preact/hooks';
import type { EndpointAnswer } from '../../api/endpoint.ts';
import { Chart } from '../../draw/chart.tsx';
import { makeMemory } from '../../draw/volume.ts';
import { Panel } from '../../parts/panel.tsx';
import * as f from '../../text/format.ts';
import { FORMULAS } from '../../text/formulas.ts';

export default function Memory({ data }: { data: EndpointAnswer }) {
  const { memory, series, window } = data;
  const input = useMemo(() => ({ series, from: window.from, to: window.to }), [data]);
  const drawn = series.rss_kb?.some((value) => value !== null) ?? false;
  const sure = memory.exclusive >= f.THIN;
  return (
    <Panel id="memory" title="Memory" sub="resident memory kept per call">
      <dl class="facts">
        <div>
          <dt data-tip={FORMULAS.rss}>Mean</dt>
          <dd class={sure ? '' : 'thin'}>{f.kb(memory.mean_kb, true)}</dd>
        </div>
        <div>
          <dt>Median</dt>
          <dd class={sure ? '' : 'thin'}>{f.kb(memory.p50_kb, true)}</dd>
        </div>
        <div>
          <dt>Most</dt>
          <dd>{f.kb(memory.max_kb, true)}</dd>
        </div>
        <div>
          <dt data-tip="Memory belongs to a process. Only calls during which nothing else ran can be charged with it.">
            Calls measured alone
          </dt>
          <dd class={sure ? '' : 'thin'}>
            {f.whole(memory.exclusive)} of {f.whole(data.endpoint.count)}
          </dd>
        </div>
      </dl>
      {drawn ? (
        <Chart
          make={(host) => makeMemory(host, input)}
          data={input}
          label={`Resident memory kept per call over time, mean ${f.kb(memory.mean_kb)}.`}
          height={130}
        />
      ) : (
        <p class="empty-line">
          {memory.exclusive
            ? 'Too few measurements to draw.'
            : 'No call had its process to itself, so none can be charged with memory.'}
        </p>
      )}
    </Panel>
  );
}
