/** One query: since when is it slow, who sends it, and how does the database go about it? */
import type { QueryAnswer } from '../../api/queries.ts';
import { useAnswer } from '../../api/use.ts';
import { later } from '../../parts/later.tsx';
import { Panel } from '../../parts/panel.tsx';
import { Empty, Loaded } from '../../parts/states.tsx';
import { Table } from '../../parts/table.tsx';
import { traceColumns } from '../../parts/traces.tsx';
import { useQuery } from '../../state/query.ts';
import * as f from '../../text/format.ts';
import { Header } from './header.tsx';
import { Plans } from './plans.tsx';
import { Senders } from './senders.tsx';

// its chart is the heaviest part of the page
const Trend = later<{ data: QueryAnswer }>(() => import('./trend.tsx').then((module) => ({ default: module.Trend })), 340);

export default function OneQuery() {
  const query = useQuery();
  const id = query.get('id');
  const answer = useAnswer<QueryAnswer>('query', { id }, { skip: !id });
  if (!id)
    return (
      <div class="panel empty">
        <h1 class="title">No query chosen</h1>
        <p>
          <a class="link" href={query.link('queries')}>
            Choose one from the list.
          </a>
        </p>
      </div>
    );
  return (
    <Loaded answer={answer} what={`query ${f.tame(id, 40)}`} height={600}>
      {(data) => (
        <>
          <Header data={data} path={answer.path} />
          {data.query ? (
            <>
              <Trend data={data} />
              <Plans data={data} reload={answer.reload} />
              <Senders data={data} />
              <Examples data={data} />
            </>
          ) : (
            <>
              <div class="panel">
                <Empty common={data} noun="runs of this query" filters={[]} />
              </div>
              <Plans data={data} reload={answer.reload} />
            </>
          )}
        </>
      )}
    </Loaded>
  );
}

function Examples({ data }: { data: QueryAnswer }) {
  const query = useQuery();
  const hrefOf = (row: QueryAnswer['examples'][number]) => query.link('trace', { id: row.id });
  const [name, duration, , , , ...rest] = traceColumns((row) => query.link('trace', { id: row.id }));
  return (
    <Panel id="examples" title="Transactions that ran it" sub="of those kept with detail, most time in it first">
      {data.examples.length ? (
        <Table
          label="Transactions that ran it, arrow keys move, Enter opens"
          columns={[
            name!,
            { id: 'runs', title: 'Runs', right: true, cell: (row: (typeof data.examples)[number]) => f.whole(row.runs) },
            {
              id: 'statement',
              title: 'Time in it',
              tip: 'Sum of its runs in this transaction',
              right: true,
              cell: (row: (typeof data.examples)[number]) => <b>{f.ms(row.statement_ms)}</b>,
            },
            { id: 'longest', title: 'Slowest run', right: true, cell: (row: (typeof data.examples)[number]) => f.ms(row.longest_ms) },
            { ...duration!, cell: (row: (typeof data.examples)[number]) => f.ms(row.duration_ms) },
            ...rest,
          ]}
          rows={data.examples}
          keyOf={(row) => row.id}
          hrefOf={hrefOf}
          height={40}
        />
      ) : (
        <p class="empty-line">No transaction that ran it in this range was kept with its spans.</p>
      )}
    </Panel>
  );
}
