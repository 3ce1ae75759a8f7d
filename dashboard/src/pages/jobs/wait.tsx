/** How long the runs of one job waited before they ran, what became of them, and who enqueued them. */
import type { ComponentChildren } from 'preact';
import type { Enqueuer, JobAnswer } from '../../api/jobs.ts';
import { useAnswer } from '../../api/use.ts';
import { Histogram } from '../../draw/histogram.tsx';
import { Spark } from '../../draw/small.tsx';
import { Name } from '../../parts/bits.tsx';
import { Panel } from '../../parts/panel.tsx';
import { Loaded } from '../../parts/states.tsx';
import { type Column, Table } from '../../parts/table.tsx';
import { useQuery } from '../../state/query.ts';
import type { Changes } from '../../state/url.ts';
import * as f from '../../text/format.ts';
import { looked } from './columns.tsx';

export function Wait({ identity }: { identity: Changes }) {
  const answer = useAnswer<JobAnswer>('job', { name: identity['name'], service: identity['service'] });
  return (
    <Loaded answer={answer} what="its waits" height={220}>
      {(data) => (
        <div class="columns main-side">
          <Waits data={data} path={answer.path} />
          <Enqueued data={data} />
        </div>
      )}
    </Loaded>
  );
}

function Waits({ data, path }: { data: JobAnswer; path: string }) {
  const { job, series } = data;
  const { wait, schedule } = job;
  return (
    <Panel
      id="wait"
      title="Wait before it ran"
      sub={looked(job.looked)}
      tools={
        <a class="button" href={`api/v1/${path}`}>
          JSON
        </a>
      }
    >
      {wait.count ? (
        <Histogram data={data.histogram} p50={wait.p50_ms} p95={wait.p95_ms} noun="run" />
      ) : (
        <p class="empty-line">
          {job.looked
            ? 'Not known: a wait is told by jobs of Celery, RQ, Dramatiq and arq, and by those that were due at a time.'
            : 'No run of this range is left in the store. What it waited on average stands in the list of jobs.'}
        </p>
      )}
      <dl class="facts">
        {wait.count > 0 && (
          <>
            <Fact name="Wait p50" tip="Half of the runs waited less" value={f.ms(wait.p50_ms)} />
            <Fact name="Wait p95" tip="95 of 100 runs waited less" value={f.ms(wait.p95_ms)}>
              <Spark values={series.p95_ms} width={70} height={16} />
            </Fact>
            <Fact name="Longest wait" value={f.ms(wait.max_ms)} />
          </>
        )}
        <Fact
          name="Retries"
          tip="Runs that failed and are to be tried again: these are no failures"
          value={f.plural(job.retries, 'run')}
        />
        {job.reruns > 0 && (
          <Fact name="Tried before" tip="Runs that were a second or later try" value={f.plural(job.reruns, 'run')} />
        )}
        {schedule ? (
          <>
            <Fact name="Runs every" tip={`The median of ${f.plural(schedule.gaps, 'gap')} between runs`} value={f.lasted(schedule.every_s)} />
            <Fact name="Drift" tip="95 of 100 gaps between runs are at most so far off the median" value={`± ${f.ms(schedule.drift_ms)}`} />
            <Fact name="Missed" tip="Runs that would have come at this rhythm and did not" value={f.whole(schedule.missed)} />
          </>
        ) : (
          <Fact name="Rhythm" tip="At least 80% of 6 gaps or more would have to be within a tenth of the median gap" value="none that is steady" />
        )}
        {data.queues.map(({ queue, count }) => (
          <Fact key={queue} name={`Queue ${f.tame(queue, 40)}`} value={f.plural(count, 'run')} />
        ))}
        {data.outcomes
          .filter(({ outcome }) => outcome !== 'retry')
          .map(({ outcome, count }) => (
            <Fact key={outcome} name={`Ended ${f.tame(outcome, 40)}`} value={f.plural(count, 'run')} />
          ))}
      </dl>
    </Panel>
  );
}

function Fact({ name, tip, value, children }: { name: string; tip?: string; value: string; children?: ComponentChildren }) {
  return (
    <div>
      <dt data-tip={tip}>{name}</dt>
      <dd class="fact">
        {children}
        {value}
      </dd>
    </div>
  );
}

function Enqueued({ data: { enqueued, job } }: { data: JobAnswer }) {
  const query = useQuery();
  const hrefOf = (row: Enqueuer) => query.link('trace', { id: row.trace });
  const columns: Column<Enqueuer>[] = [
    {
      id: 'name',
      title: 'Endpoint',
      wide: true,
      cell: (row) => (
        <span class="names">
          <Name
            method={row.method}
            route={row.route}
            name={row.name}
            href={query.link('endpoint', { name: row.name, kind: row.kind, service: row.service })}
          />
        </span>
      ),
    },
    {
      id: 'share',
      title: 'Runs',
      tip: 'Runs it enqueued ÷ runs looked at',
      right: true,
      cell: (row) => <b data-tip={f.plural(row.count, 'run')}>{f.percent(row.share, 0)}</b>,
    },
    {
      id: 'trace',
      title: 'Newest',
      cell: (row) => (
        <span class="both">
          <a class="link" href={hrefOf(row)}>
            request
          </a>
          <a class="link" href={query.link('trace', { id: row.run })}>
            its run
          </a>
        </span>
      ),
    },
  ];
  const rest = [
    enqueued.gone ? `${f.plural(enqueued.gone, 'run')} by requests that are no longer kept` : '',
    enqueued.untold ? `${f.plural(enqueued.untold, 'run')} that do not tell` : '',
  ].filter(Boolean);
  return (
    <Panel id="enqueued" title="Enqueued by" sub={looked(job.looked)}>
      {enqueued.senders.length ? (
        <Table
          label="Endpoints that enqueued it, arrow keys move, Enter opens the newest request"
          columns={columns}
          rows={enqueued.senders}
          keyOf={(row) => `${row.service} ${row.kind} ${row.name}`}
          hrefOf={hrefOf}
          height={38}
        />
      ) : null}
      {(rest.length > 0 || !enqueued.senders.length) && (
        <p class="empty-line">
          {enqueued.senders.length ? `And ${rest.join(', ')}.` : `Not known: ${rest.join(', ') || 'no runs'}.`}
        </p>
      )}
    </Panel>
  );
}
