/** Jobs: which costs most, waits longest or fails? */
import { useMemo } from 'preact/hooks';
import type { JobsAnswer } from '../../api/jobs.ts';
import type { EndpointRow } from '../../api/types.ts';
import { useAnswer } from '../../api/use.ts';
import { KindLegend } from '../../parts/bits.tsx';
import { Chooser, More, Toolbar, useHidden, useLimit } from '../../parts/list.tsx';
import { Panel, Segments } from '../../parts/panel.tsx';
import { Empty, Loaded } from '../../parts/states.tsx';
import { type Order, Table, sorted } from '../../parts/table.tsx';
import { type Query, useQuery } from '../../state/query.ts';
import * as f from '../../text/format.ts';
import { KINDS } from '../../text/kinds.ts';
import { API_SORTS, OPTIONAL, PRESETS, jobColumns } from './columns.tsx';

export default function Jobs() {
  const query = useQuery();
  const order = orderOf(query);
  const limit = useLimit();
  const answer = useAnswer<JobsAnswer>('jobs', { q: query.get('q'), sort: API_SORTS[order.column] ?? 'share', limit });
  return (
    <Loaded answer={answer} what="the jobs" height={420}>
      {(data) => <List data={data} order={order} path={answer.path} />}
    </Loaded>
  );
}

function orderOf(query: Query): Order {
  const column = query.get('sort') || 'share';
  return { column, descending: query.get('dir') ? query.get('dir') === 'desc' : column !== 'name' };
}

function List({ data, order, path }: { data: JobsAnswer; order: Order; path: string }) {
  const query = useQuery();
  const [hidden, hide] = useHidden('columns.jobs');
  const hrefOf = (row: Pick<EndpointRow, 'name' | 'service'>) =>
    query.link('endpoint', { name: row.name, kind: 'background', service: row.service });
  const services = data.services.length > 1 && !query.get('service');
  const all = useMemo(() => jobColumns(data.jobs, hrefOf, services, data.window.range ? data.store.written_at : null), [data, query.search]);
  const rows = useMemo(() => sorted(data.jobs, all, order), [data, all, order.column, order.descending]);
  const kinds = KINDS.filter((kind) => kind !== 'queue' && data.jobs.some((row) => (row.kinds[kind] ?? 0) > 0));
  return (
    <Panel id="jobs" level={1} class="dense" title="Jobs" sub={<Sum data={data} />} tools={<KindLegend kinds={kinds} />}>
      <Toolbar
        path={path}
        search="Filter jobs"
        tools={<Chooser columns={all} optional={OPTIONAL} hidden={hidden} change={hide} />}
      >
        <Segments
          label="Order"
          order
          options={PRESETS}
          current={order.descending ? order.column : null}
          select={(sort) => query.set({ sort, dir: null })}
        />
      </Toolbar>
      {rows.length ? (
        <Table
          label="Jobs, arrow keys move, Enter opens"
          columns={all.filter((column) => !hidden.includes(column.id))}
          rows={rows}
          keyOf={(row) => `${row.service} ${row.name}`}
          height={57}
          hrefOf={hrefOf}
          order={order}
          sort={(next) => query.set({ sort: next.column, dir: next.descending ? 'desc' : 'asc' }, { replace: true })}
        />
      ) : (
        <>
          <Empty common={data} noun="jobs" filters={['q']} />
          {!query.get('q') && data.store.written_at !== null && <HowToSee />}
        </>
      )}
      <More cursor={data.cursor} />
      {data.idle.length > 0 && (
        <div class="idle">
          <h2>Did not run in this range</h2>
          <ul>
            {data.idle.map((job) => (
              <li key={`${job.service} ${job.name}`}>
                <a class="link mono" href={hrefOf(job)} dir="ltr">
                  {f.tame(job.name, 120)}
                </a>
                <span class="muted" title={f.exact(job.last)}>
                  {' '}
                  last run {f.ago(job.last)}
                </span>
              </li>
            ))}
          </ul>
        </div>
      )}
    </Panel>
  );
}

function Sum({ data: { total } }: { data: JobsAnswer }) {
  return (
    <>
      {f.plural(total.count, 'run')} of {f.plural(total.jobs, 'job')}, {f.rate(total.per_min)} a minute, {f.span(total.total_ms)} of work
      {total.retries > 0 && <>, {f.plural(total.retries, 'retry', 'retries')}</>}
      {total.errors > 0 && (
        <>
          , <span class="bad">{f.plural(total.errors, 'failure')}</span>
        </>
      )}
    </>
  );
}

function HowToSee() {
  return (
    <p class="empty-line">
      Tasks of Celery, RQ, Huey, Dramatiq, arq and APScheduler and management commands are seen without an edit; any other function
      with <code>@apm_agent.background_transaction("name")</code>.
    </p>
  );
}
