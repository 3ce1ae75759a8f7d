/** Endpoints: which costs most, and which changed? */
import { useMemo } from 'preact/hooks';
import type { EndpointsAnswer } from '../../api/endpoints.ts';
import type { EndpointRow } from '../../api/types.ts';
import { ask } from '../../api/client.ts';
import { useAnswer } from '../../api/use.ts';
import { API_SORTS, OPTIONAL, PRESETS, endpointColumns } from '../../parts/endpoints.tsx';
import { Icon } from '../../parts/icon.tsx';
import { KindLegend } from '../../parts/bits.tsx';
import { Chooser, FIRST, Toolbar, useHidden } from '../../parts/list.tsx';
import { Panel, Segments } from '../../parts/panel.tsx';
import { Empty, Loaded } from '../../parts/states.tsx';
import { type Order, Table, sorted } from '../../parts/table.tsx';
import { type Query, useQuery } from '../../state/query.ts';
import * as f from '../../text/format.ts';
import { KINDS } from '../../text/kinds.ts';
import { csv, csvOfGroups, download } from './csv.ts';
import { GroupPick, Groups, ordered, useGroups } from './groups.tsx';
import { Marked, useMarks } from './marks.tsx';

const BLOCK = 1000;
const MOST = 10_000;
const KIND_TABS = [
  { id: 'web', title: 'Web' },
  { id: 'background', title: 'Jobs' },
  { id: 'all', title: 'All' },
];

export default function Endpoints() {
  const query = useQuery();
  const order = orderOf(query);
  const limit = query.get('rows') === 'all' ? BLOCK : FIRST;
  const kind = kindOf(query);
  const answer = useAnswer<EndpointsAnswer>(
    'endpoints',
    { kind: kind === 'all' ? '' : kind, q: query.get('q'), sort: API_SORTS[order.column] ?? 'share', limit },
    { by: askRows },
  );
  return (
    <Loaded answer={answer} what="the endpoints" height={520}>
      {(data) => <List data={data} order={order} path={answer.path} />}
    </Loaded>
  );
}

/** The first rows in one answer; all of them in blocks, one after the other. */
async function askRows(path: string, signal: AbortSignal): Promise<EndpointsAnswer> {
  let answer = await ask<EndpointsAnswer>(path, signal);
  if (!path.includes(`limit=${BLOCK}`)) return answer;
  while (answer.cursor && answer.endpoints.length < MOST) {
    const next = await ask<EndpointsAnswer>(`${path}&cursor=${encodeURIComponent(answer.cursor)}`, signal);
    answer = { ...next, endpoints: [...answer.endpoints, ...next.endpoints] };
  }
  return answer;
}

/** Requests, unless one asks for more: jobs have a page of their own. */
const kindOf = (query: Query): string => query.get('kind') || 'web';

function orderOf(query: Query): Order {
  const column = query.get('sort') || 'share';
  return { column, descending: query.get('dir') ? query.get('dir') === 'desc' : column !== 'name' };
}

function List({ data, order, path }: { data: EndpointsAnswer; order: Order; path: string }) {
  const query = useQuery();
  const [hidden, hide] = useHidden('columns');
  const hrefOf = (row: EndpointRow) => query.link('endpoint', { name: row.name, kind: row.kind, service: row.service });
  const services = data.services.length > 1 && !query.get('service');
  const all = useMemo(() => endpointColumns(data.endpoints, hrefOf, services), [data, query.search]);
  const marks = useMarks();
  const columns = all
    .filter((column) => !hidden.includes(column.id))
    .map((column) => (column.id === 'name' ? marks.boxed(column) : column));
  const rows = useMemo(() => sorted(data.endpoints, all, order), [data, all, order.column, order.descending]);
  const kinds = KINDS.filter((kind) => data.endpoints.some((row) => (row.kinds[kind] ?? 0) > 0));
  const { total } = data;
  const group = query.get('group');
  const groups = useGroups(group, kindOf(query));
  const shown = group ? groups.data?.groups : rows;
  const save = () =>
    group
      ? download(csvOfGroups(ordered(groups.data?.groups ?? [], order)), 'groups.csv')
      : download(csv(rows), 'endpoints.csv');
  return (
    <Panel
      id="endpoints"
      level={1}
      class="dense"
      title="Endpoints"
      sub={
        <>
          {f.plural(total.count, 'call')}, {f.rate(total.per_min)} a minute, {f.span(total.total_ms)} of work
          {total.errors > 0 && (
            <>
              , <span class="bad">{f.plural(total.errors, 'error')}</span>
            </>
          )}
        </>
      }
      tools={<KindLegend kinds={kinds} />}
    >
      <Toolbar
        path={group ? groups.path : path}
        search="Filter endpoints"
        tools={
          <>
            <GroupPick />
            <Chooser columns={all} optional={OPTIONAL} hidden={hidden} change={hide} />
            <button type="button" class="button" onClick={save} disabled={!shown}>
              <Icon name="export" />
              CSV
            </button>
          </>
        }
      >
        <Segments
          label="Kind of endpoint"
          options={KIND_TABS}
          current={kindOf(query)}
          select={(kind) => query.set({ kind: kind === 'web' ? null : kind })}
        />
        <Segments
          label="Order"
          order
          options={PRESETS}
          current={order.descending ? order.column : null}
          select={(sort) => query.set({ sort, dir: null })}
        />
      </Toolbar>
      <Marked row={marks.marked} />
      {group ? (
        <Groups answer={groups} order={order} hidden={hidden} />
      ) : rows.length ? (
        <Table
          label="Endpoints, arrow keys move, Enter opens, x marks two to compare"
          columns={columns}
          rows={rows}
          keyOf={(row) => `${row.service} ${row.kind} ${row.name}`}
          height={57}
          hrefOf={hrefOf}
          press={marks.press}
          order={order}
          sort={(next) => query.set({ sort: next.column, dir: next.descending ? 'desc' : 'asc' }, { replace: true })}
        />
      ) : (
        <>
          <Empty common={data} noun="endpoints" filters={['q', 'kind']} />
          {data.releases.length > 0 && (
            <p class="empty-line">
              Background jobs have{' '}
              <a class="link" href={query.link('jobs')}>
                a page of their own
              </a>
              .
            </p>
          )}
        </>
      )}
      {data.cursor && !group && <More count={rows.length} order={order} />}
    </Panel>
  );
}

/** More rows than were asked for: say by what these were chosen, and offer the rest. */
function More({ count, order }: { count: number; order: Order }) {
  const query = useQuery();
  const by =
    API_SORTS[order.column] && order.descending
      ? `first ${f.whole(count)} by this column`
      : `${f.whole(count)} that cost most, in this order`;
  return (
    <p class="more">
      <span class="muted">These are the {by}.</span>
      {query.get('rows') !== 'all' ? (
        <button type="button" class="button" onClick={() => query.set({ rows: 'all' }, { replace: true })}>
          Show all
        </button>
      ) : (
        <span class="muted">Use the filter to find the others.</span>
      )}
    </p>
  );
}
