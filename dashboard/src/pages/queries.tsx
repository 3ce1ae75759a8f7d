/** Queries: which statement costs most, and who sends it? */
import type { QueriesAnswer, QueryRow } from '../api/queries.ts';
import { useAnswer } from '../api/use.ts';
import { Bar, Flag } from '../parts/bits.tsx';
import { More, Toolbar, useLimit } from '../parts/list.tsx';
import { Panel, Segments } from '../parts/panel.tsx';
import { placeText } from '../parts/source.tsx';
import { Empty, Loaded } from '../parts/states.tsx';
import { type Column, Table } from '../parts/table.tsx';
import { useQuery } from '../state/query.ts';
import * as f from '../text/format.ts';
import { brief } from '../text/sql.ts';

const MANY = 5;
const BOTTLENECK = 0.5;
const ALWAYS = 0.9;
const ORDERS = [
  { id: 'total', title: 'Most time', tip: 'All time of the statement, over all endpoints' },
  { id: 'runs', title: 'Most runs' },
  { id: 'mean', title: 'Slowest each', tip: 'Total time ÷ runs' },
  { id: 'max', title: 'Slowest run' },
  { id: 'bottleneck', title: 'Bottleneck', tip: 'Largest share of the time of an endpoint that sends it' },
  { id: 'slow', title: 'Always slow', tip: 'Slow in most of the calls that ran it: the insight slow query ÷ calls' },
  { id: 'endpoints', title: 'Most endpoints', tip: 'Sent by most endpoints: one index helps them all' },
];

export default function Queries() {
  const query = useQuery();
  const sort = query.get('sort') || 'total';
  const answer = useAnswer<QueriesAnswer>('queries', { sort, q: query.get('q'), limit: useLimit() });
  const hrefOf = (row: QueryRow) => query.link('query', { id: row.id });
  return (
    <Loaded answer={answer} what="the queries" height={520}>
      {(data) => (
        <Panel
          id="queries"
          level={1}
          title="Queries"
          sub={`${f.plural(data.total.count, 'statement')}, ${f.plural(data.total.runs, 'run')}, ${f.span(data.total.total_ms)}`}
        >
          <Toolbar path={answer.path} search="Text in the statement" placeholder="Table or column">
            <Segments label="Order" order options={ORDERS} current={sort} select={(next) => query.set({ sort: next })} />
          </Toolbar>
          {data.queries.length ? (
            <Table
              label="Queries, arrow keys move, Enter opens"
              columns={columnsOf(data.queries, hrefOf, sort)}
              rows={data.queries}
              keyOf={(row) => row.id}
              height={46}
              hrefOf={hrefOf}
            />
          ) : (
            <Empty common={data} noun="queries" filters={['q']} />
          )}
          <More cursor={data.cursor} />
        </Panel>
      )}
    </Loaded>
  );
}

function columnsOf(rows: QueryRow[], hrefOf: (row: QueryRow) => string, sort: string): Column<QueryRow>[] {
  const most = Math.max(...rows.map((row) => row.share), 1e-9);
  return [
    {
      id: 'text',
      title: 'Statement',
      wide: true,
      cell: (row) => (
        <span class="twoline">
          <span>
            <a class="mono statement" href={hrefOf(row)} title={f.tame(row.text, 300)} dir="ltr">
              {f.tame(brief(row.text), 300)}
            </a>
            {row.flags.map((flag) => (
              <Flag key={flag} name={flag} />
            ))}
          </span>
          <span class="faint mono">{place(row)}</span>
        </span>
      ),
    },
    {
      id: 'share',
      title: 'Time consumed',
      tip: 'All time of this statement ÷ all time of all statements, in this range',
      cell: (row) => (
        <span data-tip={f.span(row.total_ms)}>
          <Bar share={row.share / most} text={f.percent(row.share)} tone="k-db" />
        </span>
      ),
    },
    ...ORDERED_BY.filter((column) => column.id === sort),
    { id: 'rate', title: 'Runs/min', tip: 'Runs ÷ minutes in this range', right: true, cell: (row) => f.rate(row.per_min) },
    {
      id: 'per_call',
      title: 'Runs/call',
      tip: 'Runs ÷ calls that ran it at all, at the endpoint and line where that is most',
      right: true,
      cell: (row) => (row.runs_per_call >= MANY ? <b class="bad">{f.mean(row.runs_per_call)}</b> : f.mean(row.runs_per_call)),
    },
    { id: 'mean', title: 'Each', formula: 'each', right: true, cell: (row) => f.ms(row.mean_ms) },
    {
      id: 'p95',
      title: 'p95',
      tip: '95 of 100 runs were faster, of its runs in up to 100 transactions kept with their spans, the newest of each endpoint: those are more often slow ones',
      right: true,
      cell: (row) =>
        row.p95_ms === null ? (
          <span class="faint" data-tip={`Too few: ${f.plural(row.p95_runs, 'run')} in transactions kept, of 20`}>
            {f.NONE}
          </span>
        ) : (
          <span data-tip={`of ${f.plural(row.p95_runs, 'kept run')}`}>{f.ms(row.p95_ms)}</span>
        ),
    },
    { id: 'max', title: 'Max', tip: 'The longest of all runs in this range', right: true, cell: (row) => f.ms(row.max_ms) },
    {
      id: 'rows',
      title: 'Rows',
      tip: 'Mean rows a run gave or changed, of its runs in up to 100 transactions kept with their spans, where the driver told it',
      right: true,
      cell: (row) =>
        row.rows === null ? (
          <span class="faint" data-tip="Its driver does not tell, or no run of it was kept">
            {f.NONE}
          </span>
        ) : (
          <span data-tip={`of ${f.plural(row.rows_runs, 'kept run')}`}>{f.mean(row.rows)}</span>
        ),
    },
    {
      id: 'endpoints',
      title: 'Sent by',
      tip: 'The endpoint that spends most time in it, and how many others send it',
      cell: (row) => (
        <span class="soft cut sender">
          {f.tame(row.endpoints[0]?.name ?? f.NONE, 60)}
          {row.endpoint_count > 1 && <span class="faint"> and {f.plural(row.endpoint_count - 1, 'other')}</span>}
        </span>
      ),
    },
  ];
}

/** The figure of an order, shown while that order is. */
const ORDERED_BY: Column<QueryRow>[] = [
  {
    id: 'bottleneck',
    title: 'Of endpoint',
    tip: 'Time of this statement ÷ all time of an endpoint that sends it, where that is most; at half or more it is the bottleneck',
    right: true,
    cell: ({ endpoint_share: share }) =>
      share === null ? f.NONE : share >= BOTTLENECK ? <b class="bad">{f.percent(share)}</b> : f.percent(share),
  },
  {
    id: 'slow',
    title: 'Slow in',
    tip: 'Calls in which it was found slow ÷ calls that ran it',
    right: true,
    cell: ({ slow_share: share }) =>
      share >= ALWAYS ? <b class="bad">{f.percent(share, 0)} of calls</b> : <span>{f.percent(share, 0)} of calls</span>,
  },
];

function place({ where, places }: QueryRow): string {
  if (!where.length) return 'line not known';
  const more = places > 1 ? ` and ${f.plural(places - 1, 'other line')}` : '';
  return f.shortPath(placeText(where[0])) + more;
}
