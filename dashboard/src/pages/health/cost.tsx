/** What the agent itself takes, in the six figures one asks for first, and the diagnostics to copy. */
import { useState } from 'preact/hooks';
import type { ComponentChildren } from 'preact';
import type { HealthAnswer } from '../../api/health.ts';
import { Panel } from '../../parts/panel.tsx';
import { copyText } from '../../parts/source.tsx';
import * as f from '../../text/format.ts';
import { diagnostics } from './diagnostics.ts';

const COST = "Processor time of the agent's own threads, of all processes together ÷ transactions they recorded.";

export function Cost({ data, path }: { data: HealthAnswer; path: string }) {
  const { cost, store, agent, processes, checks } = data;
  const troubles = checks.filter((check) => check.state === 'wrong').length;
  const total = (read: (process: HealthAnswer['processes'][number]) => number | undefined | null) =>
    processes.reduce((sum, process) => sum + (read(process) ?? 0), 0);
  const dropped = total((process) => process.recorder?.dropped);
  const queued = total((process) => process.recorder?.queued);
  const longest = Math.max(-1, ...processes.map((process) => process.writer?.max_ms ?? -1));
  const last = processes[0]?.writer?.last_ms;
  const full = store.max_bytes && store.bytes !== null ? store.bytes / store.max_bytes : null;
  return (
    <Panel
      id="health"
      level={1}
      title="Health"
      sub={
        <>
          <span class={troubles ? 'bad' : 'good'}>{troubles ? f.plural(troubles, 'trouble') : 'all is well'}</span>,
          apm-agent {f.tame(String(agent.version), 40)}, schema {f.tame(String(agent.schema), 40)}, last event{' '}
          {store.written_at === null ? 'never' : f.ago(store.written_at)}
        </>
      }
      tools={
        <>
          <Copy data={data} />
          <a class="button" href={`api/v1/${path}`}>
            JSON
          </a>
        </>
      }
    >
      <div class="kpis health-kpis">
        <Kpi
          label="Agent CPU"
          tip={`Processor time of the agent's own threads ÷ time passed, in shares of one core: the mean of ${f.plural(cost.processes, 'process', 'processes')}.`}
          value={f.percent(cost.cpu_share)}
          note={cost.cpu_share_most === null ? 'not known' : `at most ${f.percent(cost.cpu_share_most)} of a core`}
        />
        <Kpi
          label="Per transaction"
          tip={
            cost.p50_us === null
              ? `${COST} A mean: it is measured by the batch, so there is no p50 and no p95. What the request's own thread pays is not measured while it runs, which would cost as much; benchmarks/overhead.py measures it.`
              : COST
          }
          value={f.ms(cost.p95_us === null ? cost.mean_us && cost.mean_us / 1000 : cost.p95_us / 1000)}
          note={
            cost.mean_us === null
              ? 'not known'
              : cost.p50_us === null
                ? `a mean, of ${f.whole(cost.transactions)}`
                : `p95; p50 ${f.ms(cost.p50_us / 1000)}`
          }
        />
        <Kpi
          label="Dropped"
          tip="Transactions thrown away because the queue was full: counted, not kept."
          value={<span class={dropped ? 'bad' : ''}>{f.whole(dropped)}</span>}
          note={`${f.whole(queued)} queued now`}
        />
        <Kpi
          label="Longest write"
          tip="The longest a batch took to be made and written, since the process started."
          value={f.ms(longest < 0 ? null : longest)}
          note={`last ${f.ms(last)}`}
        />
        <Kpi
          label="Store"
          tip="The database file against the setting max_size; the oldest rows go when it is reached."
          value={f.bytes(store.bytes)}
          note={full === null ? 'no limit known' : `${f.percent(full, full < 0.1 ? 1 : 0)} of ${f.bytes(store.max_bytes)}`}
        />
        <Kpi
          label="Reaches back"
          tip="Age of the oldest single transaction that is kept."
          value={store.oldest === null ? f.NONE : f.lasted(Date.now() / 1000 - store.oldest)}
          note={`${f.whole(store.transactions)} transactions`}
        />
      </div>
    </Panel>
  );
}

function Kpi({ label, tip, value, note }: { label: string; tip: string; value: ComponentChildren; note: string }) {
  const [figure, unit] = typeof value === 'string' ? f.split(value) : [value, ''];
  return (
    <div class="kpi">
      <span class="label" data-tip={tip}>
        {label}
      </span>
      <span class="value">
        {figure}
        {unit && <small>{unit}</small>}
      </span>
      <span class="note" title={note}>
        {note}
      </span>
    </div>
  );
}

function Copy({ data }: { data: HealthAnswer }) {
  const [copied, set] = useState(false);
  const copy = async () => {
    await copyText(diagnostics(data));
    set(true);
    setTimeout(() => set(false), 2000);
  };
  return (
    <>
      <span class="muted" role="status">
        {copied ? 'Copied, names masked' : ''}
      </span>
      <button
        type="button"
        class="button"
        onClick={copy}
        data-tip="For a bug report. Names of hosts, folders and services, texts of settings and messages of errors are masked."
      >
        Copy diagnostics
      </button>
    </>
  );
}
