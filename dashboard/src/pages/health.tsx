/** Health: is the agent itself well, and what does it cost? */
import type { HealthAnswer, Process } from '../api/types.ts';
import { useAnswer } from '../api/use.ts';
import { Panel } from '../parts/panel.tsx';
import { copyText } from '../parts/source.tsx';
import { Loaded } from '../parts/states.tsx';
import * as f from '../text/format.ts';

export default function Health() {
  const answer = useAnswer<HealthAnswer>('health');
  return (
    <Loaded answer={answer} what="the agent's health" height={400}>
      {(data) => (
        <>
          <Store data={data} />
          {data.processes.map((process) => (
            <ProcessPanel key={`${process.host}:${process.pid}:${process.started}`} process={process} />
          ))}
          {!data.processes.length && (
            <div class="panel empty">
              <h2>No process has reported</h2>
              <p>
                A process reports itself when the agent starts in it: <code>apm-agent run …</code> or{' '}
                <code>apm_agent.install()</code>.
              </p>
            </div>
          )}
        </>
      )}
    </Loaded>
  );
}

type Fact = [name: string, value: string, tip?: string, tone?: string];

function Facts({ facts }: { facts: Fact[] }) {
  return (
    <dl class="facts">
      {facts.map(([name, value, tip, tone]) => (
        <div key={name}>
          <dt data-tip={tip}>{name}</dt>
          <dd class={tone ?? ''}>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Store({ data: { agent, store, processes } }: { data: HealthAnswer }) {
  const diagnostics = () => copyText(JSON.stringify({ agent, store, processes }, null, 2));
  return (
    <Panel
      id="store"
      level={1}
      title="Health"
      sub={`apm-agent ${f.tame(String(agent.version), 40)}, schema ${f.tame(String(agent.schema), 40)}`}
      tools={
        <button type="button" class="button" onClick={diagnostics}>
          Copy diagnostics
        </button>
      }
    >
      <Facts
        facts={[
          ['Store', f.tame(store.url, 160)],
          ['Last event', store.written_at === null ? 'never' : f.ago(store.written_at), 'When a batch was last written'],
          [
            'Size',
            store.max_bytes
              ? `${f.bytes(store.bytes)} of ${f.bytes(store.max_bytes)} (${f.percent((store.bytes ?? 0) / store.max_bytes, 0)})`
              : f.bytes(store.bytes),
            'The database file; old rows go when it reaches its limit',
          ],
          ['Write-ahead log', f.bytes(store.wal_bytes), 'Written but not yet folded into the database file'],
          ['Transactions', f.whole(store.transactions)],
          ['Reaches back', store.oldest === null ? f.NONE : f.lasted(Date.now() / 1000 - store.oldest), 'Age of the oldest row'],
          ['Processes', String(processes.length)],
        ]}
      />
    </Panel>
  );
}

function ProcessPanel({ process }: { process: Process }) {
  const { sampler, recorder, writer, overhead, instruments = [], contained = [], settings = {} } = process;
  // a number comes back after a restart, and on another host
  const id = `process-${process.pid}-${process.started}`;
  const facts: Fact[] = [
    ['Last seen', f.ago(process.last_seen)],
    ['Running for', f.lasted(process.last_seen - process.started)],
  ];
  if (overhead)
    facts.push(
      ['Agent CPU', f.percent(overhead.cpu_share), "Processor time of all the agent's threads ÷ time passed"],
      [
        'Per transaction',
        f.ms(overhead.per_transaction_us && overhead.per_transaction_us / 1000),
        "Time the agent adds to the transaction's own thread",
      ],
    );
  if (sampler)
    facts.push(
      ['Sampler', `every ${f.ms(sampler.interval_ms)}`, 'Interval asked for'],
      [
        'Achieved',
        `${f.rate(sampler.achieved_per_s)} looks a second`,
        'It slows itself down to stay inside its budget, and sleeps while nothing runs',
      ],
      [
        'Sampler CPU',
        `${f.percent(sampler.cpu_share)}${sampler.budget ? ` of ${f.percent(sampler.budget)}` : ''}`,
        'Its own processor time ÷ time passed, against its budget',
      ],
      [
        'Late, p90',
        f.ms(sampler.late_ms_p90),
        'How much later than asked nine of ten looks came; each is worth the time since the last',
      ],
      [
        'Uncertain',
        f.percent(sampler.uncertain_share),
        'Share of samples whose line may be displaced, because the sampler had to wait for the GIL',
      ],
    );
  if (recorder)
    facts.push(
      ['Recorded', f.whole(recorder.recorded)],
      ['Queued', f.whole(recorder.queued)],
      ['Dropped', f.whole(recorder.dropped), 'The queue was full: counted, not kept', recorder.dropped ? 'bad' : ''],
      ['Ignored', f.whole(recorder.ignored), 'Told to ignore by setting or by the app'],
    );
  if (writer)
    facts.push(
      ['Batches', f.whole(writer.batches)],
      ['Last write', f.ms(writer.last_ms)],
      ['Longest write', f.ms(writer.max_ms)],
      ['Write errors', f.whole(writer.errors), undefined, writer.errors ? 'bad' : ''],
    );
  return (
    <Panel
      id={id}
      title={`${f.tame(process.service, 60)}, ${f.tame(process.host, 60)}:${process.pid} since ${f.moment(process.started)}`}
      sub={[process.release && `release ${process.release}`, process.python && `Python ${process.python}`, process.server]
        .filter(Boolean)
        .map((text) => f.tame(String(text), 60))
        .join(', ')}
    >
      <Facts facts={facts} />
      {contained.length > 0 && (
        <div class="block">
          <h3 class="bad">Errors the agent kept from the app</h3>
          <ul class="plain">
            {contained.map((one, i) => (
              <li key={i}>
                <b>×{f.whole(one.count)}</b> {f.tame(one.what, 200)} <span class="mono soft">{f.tame(one.error, 300)}</span>
              </li>
            ))}
          </ul>
        </div>
      )}
      {instruments.length > 0 && (
        <div class="block">
          <h3>Instruments</h3>
          <ul class="chips">
            {instruments.map((one) => (
              <li
                key={one.name}
                class={`chip ${({ patched: 'good', failed: 'bad' } as Record<string, string>)[one.state] ?? ''}`}
                data-tip={one.detail ? f.tame(one.detail, 300) : undefined}
              >
                {f.tame(one.name, 40)}: {f.tame(one.state, 20)}
              </li>
            ))}
          </ul>
        </div>
      )}
      {Object.keys(settings).length > 0 && (
        <details class="block">
          <summary>Settings ({Object.keys(settings).length})</summary>
          <p class="muted">
            Read when the agent starts. Change one by its keyword in install(), or by APM_AGENT_NAME in the environment.
          </p>
          <dl class="context">
            {Object.entries(settings).map(([name, value]) => (
              <div key={name}>
                <dt class="mono">{f.tame(name, 80)}</dt>
                <dd class="mono">{f.tame(typeof value === 'string' ? value : (JSON.stringify(value) ?? ''), 300)}</dd>
              </div>
            ))}
          </dl>
        </details>
      )}
    </Panel>
  );
}
