/** Each process that reported: what the agent takes in it, how its sampler keeps up, and what it lost. */
import type { Process } from '../../api/health.ts';
import { Panel } from '../../parts/panel.tsx';
import { type Column, Table } from '../../parts/table.tsx';
import * as f from '../../text/format.ts';

const COLUMNS: Column<Process>[] = [
  {
    id: 'name',
    title: 'Process',
    wide: true,
    cell: (process) => (
      <div class="process">
        <div class="names">
          <b>{f.tame(process.service, 60)}</b>
          <span class="mono soft">
            {f.tame(process.host, 60)}:{process.pid}
          </span>
        </div>
        <div class="muted">
          {[process.release && `release ${process.release}`, process.python && `Python ${process.python}`, process.server]
            .filter(Boolean)
            .map((text) => f.tame(String(text), 60))
            .join(', ')}
        </div>
      </div>
    ),
  },
  {
    id: 'seen',
    title: 'Last seen',
    tip: 'A process says how it is with what it writes, at most each 5 seconds; one without traffic is silent.',
    right: true,
    cell: (process) => (
      <span data-tip={`Since ${f.moment(process.started)}, for ${f.lasted(process.last_seen - process.started)}`}>
        {f.ago(process.last_seen)}
      </span>
    ),
  },
  {
    id: 'cpu',
    title: 'Agent CPU',
    tip: "Processor time of the agent's own threads ÷ time passed, in shares of one core.",
    right: true,
    cell: ({ overhead }) => f.percent(overhead?.cpu_share),
  },
  {
    id: 'each',
    title: 'Per transaction',
    tip: 'Processor time of the writer ÷ transactions it took: a mean.',
    right: true,
    cell: ({ overhead }) => f.ms(overhead?.per_transaction_us == null ? null : overhead.per_transaction_us / 1000),
  },
  {
    id: 'asked',
    title: 'Looks each',
    tip: 'Time between two looks: what the setting sample_interval asks, and what the sampler does to keep its budget.',
    right: true,
    cell: Interval,
  },
  {
    id: 'achieved',
    title: 'Looks/s',
    tip: 'Looks a second while there was something to look at. It sleeps when nothing runs.',
    right: true,
    cell: ({ sampler }) =>
      sampler ? (
        <span data-tip={`Late, p90: ${f.ms(sampler.late_ms_p90)}. Samples whose line may be displaced: ${f.percent(sampler.uncertain_share)}.`}>
          {f.rate(sampler.achieved_per_s)}
        </span>
      ) : (
        f.NONE
      ),
  },
  {
    id: 'sampler',
    title: 'Sampler CPU',
    tip: 'Its own processor time ÷ time it was awake, against the setting sampler_budget.',
    right: true,
    cell: ({ sampler }) =>
      sampler ? (
        <>
          {f.percent(sampler.cpu_share)}
          {sampler.budget ? <span class="faint"> of {f.percent(sampler.budget, 0)}</span> : ''}
        </>
      ) : (
        f.NONE
      ),
  },
  {
    id: 'recorded',
    title: 'Recorded',
    tip: 'Transactions handed to the writer since the process started; ignored by rule in the tooltip of each.',
    right: true,
    cell: ({ recorder }) => (
      <span data-tip={recorder ? `${f.whole(recorder.ignored)} ignored by setting or by the app` : undefined}>
        {f.whole(recorder?.recorded)}
      </span>
    ),
  },
  { id: 'queued', title: 'Queued', tip: 'Waiting for the writer.', right: true, cell: ({ recorder }) => f.whole(recorder?.queued) },
  {
    id: 'dropped',
    title: 'Dropped',
    tip: 'The queue was full, or the record could not be written: counted, not kept.',
    right: true,
    cell: ({ recorder }) => {
      const gone = recorder ? recorder.dropped + (recorder.lost ?? 0) : null;
      return <span class={gone ? 'bad' : 'soft'}>{f.whole(gone)}</span>;
    },
  },
  {
    id: 'write',
    title: 'Write',
    tip: 'A batch made and written: the last, and the longest since the process started.',
    right: true,
    cell: ({ writer }) =>
      writer ? (
        <span data-tip={`${f.plural(writer.batches, 'batch', 'batches')}, ${f.plural(writer.errors, 'error')}`}>
          {f.ms(writer.last_ms)} <span class={writer.errors ? 'bad' : 'faint'}>max {f.ms(writer.max_ms)}</span>
        </span>
      ) : (
        f.NONE
      ),
  },
];

function Interval({ sampler, settings }: Process) {
  if (!sampler) return <>off</>;
  const asked = settings?.['sample_interval'];
  const done = sampler.interval_ms;
  if (typeof asked !== 'number' || done === null || Math.abs(asked * 1000 - done) < 0.5) return <>{f.ms(done)}</>;
  return (
    <>
      <span class="warn">{f.ms(done)}</span> <span class="faint">asked {f.ms(asked * 1000)}</span>
    </>
  );
}

export function Processes({ processes }: { processes: Process[] }) {
  const contained = processes.flatMap((process) =>
    (process.contained ?? []).map((one) => ({ ...one, where: `${process.service} ${process.host}:${process.pid}` })),
  );
  return (
    <Panel
      id="processes"
      class="dense"
      title="Processes"
      sub={`${f.plural(processes.length, 'process', 'processes')} seen in the last 24 h of this store`}
    >
      <Table
        label="Processes"
        columns={COLUMNS}
        rows={processes}
        keyOf={(process) => `${process.host}:${process.pid}:${process.started}`}
        height={50}
      />
      {contained.length > 0 && (
        <div class="block">
          <h3 class="bad">Errors the agent kept from the app</h3>
          <ul class="plain">
            {contained.slice(0, 50).map((one, i) => (
              <li key={i}>
                <b>×{f.whole(one.count)}</b> {f.tame(one.what, 200)} <span class="mono soft">{f.tame(one.error, 300)}</span>{' '}
                <span class="muted">{f.tame(one.where, 120)}</span>
              </li>
            ))}
          </ul>
        </div>
      )}
    </Panel>
  );
}
