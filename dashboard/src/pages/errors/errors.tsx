/** Errors: what fails, since when, and where? */
import type { ErrorRow, ErrorsAnswer } from '../../api/errors.ts';
import { useAnswer } from '../../api/use.ts';
import { Spark } from '../../draw/small.tsx';
import { Bar } from '../../parts/bits.tsx';
import { More, Toolbar, useLimit } from '../../parts/list.tsx';
import { Panel, Segments } from '../../parts/panel.tsx';
import { Empty, Loaded } from '../../parts/states.tsx';
import { type Column, Table } from '../../parts/table.tsx';
import { useQuery } from '../../state/query.ts';
import * as f from '../../text/format.ts';

const ORDERS = [
  { id: 'count', title: 'Most', tip: 'Most failures first' },
  { id: 'last', title: 'Latest', tip: 'The one that happened last first' },
  { id: 'first', title: 'Newest', tip: 'The one first seen last: what came with a change' },
  { id: 'endpoints', title: 'Most endpoints', tip: 'Those that fail most endpoints first' },
  { id: 'type', title: 'By type' },
];

export default function Errors() {
  const query = useQuery();
  const sort = query.get('sort') || 'count';
  const answer = useAnswer<ErrorsAnswer>('errors', { sort, q: query.get('q'), limit: useLimit() });
  const hrefOf = (row: ErrorRow) => query.link('error', { type: row.type, frame: row.frame });
  return (
    <Loaded answer={answer} what="the errors" height={420}>
      {(data) => (
        <Panel
          id="errors"
          level={1}
          title="Errors"
          sub={
            <>
              {f.plural(data.groups, 'error')}, {f.plural(data.failed, 'failure')}
              {data.more && ` looked at of ${f.whole(data.of)}: the newest, and all figures are of these`}
            </>
          }
        >
          <Toolbar path={answer.path} search="Text in type, message, file or endpoint">
            <Segments label="Order" order options={ORDERS} current={sort} select={(next) => query.set({ sort: next })} />
          </Toolbar>
          {data.errors.length ? (
            <Table
              label="Errors, arrow keys move, Enter opens"
              columns={columnsOf(data, hrefOf)}
              rows={data.errors}
              keyOf={(row) => `${row.type} ${row.frame ?? ''}`}
              height={57}
              hrefOf={hrefOf}
            />
          ) : query.get('q') || query.get('service') || query.get('release') || data.store.written_at === null ? (
            <Empty common={data} noun="errors" filters={['q']} />
          ) : (
            <Nothing data={data} />
          )}
          <More cursor={data.cursor} />
        </Panel>
      )}
    </Loaded>
  );
}

function Nothing({ data: { window } }: { data: ErrorsAnswer }) {
  const query = useQuery();
  return (
    <div class="empty">
      <h2>Nothing failed in the last {f.lasted(window.to - window.from)}</h2>
      <p>An error is a call or a job that raised, or answered with 5xx.</p>
      {window.range !== '7d' && (
        <p class="row">
          <button type="button" class="button" onClick={() => query.set({ range: '7d', from: null, to: null })}>
            Look at the last 7d
          </button>
        </p>
      )}
    </div>
  );
}

function columnsOf(data: ErrorsAnswer, hrefOf: (row: ErrorRow) => string): Column<ErrorRow>[] {
  const most = Math.max(...data.errors.map((row) => row.count), 1);
  return [
    {
      id: 'type',
      title: 'Error',
      wide: true,
      cell: (row) => (
        <span class="twoline">
          <span>
            <a class="errortype" href={hrefOf(row)} dir="ltr" title={f.tame(row.type, 300)}>
              {f.tame(shortType(row.type), 120)}
            </a>{' '}
            <span class="soft" title={f.tame(row.message ?? '', 400)}>
              {f.tame(row.message ?? '', 300)}
            </span>
          </span>
          <span class="faint mono">
            {row.file === null ? 'line not known' : `${f.shortPath(row.file)}:${row.line} in ${f.tame(row.function ?? '', 60)}`}
          </span>
        </span>
      ),
    },
    {
      id: 'count',
      title: 'Failures',
      tip: 'Calls and jobs that failed so, in this range',
      cell: (row) => <Bar share={row.count / most} text={f.whole(row.count)} tone="fails" />,
    },
    {
      id: 'endpoints',
      title: 'In',
      tip: 'The endpoint or job where it happens most, and how many others there are',
      cell: (row) => (
        <span class="soft cut sender">
          {f.tame(row.endpoints[0]?.name ?? f.NONE, 60)}
          {row.endpoint_count > 1 && <span class="faint"> and {f.plural(row.endpoint_count - 1, 'other')}</span>}
        </span>
      ),
    },
    {
      id: 'release',
      title: 'First release',
      tip: 'Release of the first of these failures in this range',
      cell: (row) => <span class="mono soft">{row.first_release ? f.tame(row.first_release, 24) : f.NONE}</span>,
    },
    { id: 'first', title: 'First seen', tip: 'In this range', right: true, cell: (row) => <Ago at={row.first} /> },
    { id: 'last', title: 'Last seen', right: true, cell: (row) => <Ago at={row.last} strong /> },
    {
      id: 'spark',
      title: 'Over time',
      tip: 'Failures in 36 equal parts of this range',
      cell: (row) => <Spark values={row.spark} width={84} worse />,
    },
  ];
}

function Ago({ at, strong = false }: { at: number; strong?: boolean }) {
  return (
    <time dateTime={new Date(at * 1000).toISOString()} title={f.exact(at)} class={strong ? '' : 'soft'}>
      {f.ago(at)}
    </time>
  );
}

/** The class without its package, which the tooltip has. */
export const shortType = (type: string): string => (/^[\w.]+$/.test(type) ? type.slice(type.lastIndexOf('.') + 1) : type);
