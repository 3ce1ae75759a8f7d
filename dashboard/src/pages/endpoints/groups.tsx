/** Endpoints put together by view, module or application: which part of the code costs most? */
import { useMemo } from 'preact/hooks';
import type { GroupRow, GroupsAnswer } from '../../api/groups.ts';
import type { EndpointRow } from '../../api/types.ts';
import { type Answer, useAnswer } from '../../api/use.ts';
import { endpointColumns } from '../../parts/endpoints.tsx';
import { Icon } from '../../parts/icon.tsx';
import { Empty, Loaded } from '../../parts/states.tsx';
import { type Column, type Order, Table, sorted } from '../../parts/table.tsx';
import { useQuery } from '../../state/query.ts';
import * as f from '../../text/format.ts';

const BY = [
  ['', 'none'],
  ['view', 'view'],
  ['module', 'module'],
  ['app', 'app'],
] as const;

/** What puts rows together. */
export function GroupPick() {
  const query = useQuery();
  const current = query.get('group');
  return (
    <label
      class={`pick ${current ? 'set' : ''}`}
      data-tip="One row a view, a module of views (a blueprint or router), or a package of them (Django's application)."
    >
      <span class="muted">Group</span>
      <select aria-label="Group endpoints by" value={current} onChange={(event) => query.set({ group: event.currentTarget.value })}>
        {BY.map(([id, title]) => (
          <option key={id} value={id}>
            {title}
          </option>
        ))}
      </select>
      <Icon name="down" />
    </label>
  );
}

/** The groups that are asked for; nothing is where none are. */
export function useGroups(by: string, kind: string): Answer<GroupsAnswer> {
  const query = useQuery();
  return useAnswer<GroupsAnswer>('groups', { by, kind: kind === 'all' ? '' : kind, q: query.get('q') }, { skip: !by });
}

export function Groups({ answer, order, hidden }: { answer: Answer<GroupsAnswer>; order: Order; hidden: string[] }) {
  return (
    <Loaded answer={answer} what="the groups" height={400}>
      {(data) =>
        data.groups.length ? (
          <Grouped data={data} order={order} hidden={hidden} />
        ) : (
          <Empty common={data} noun="endpoints" filters={['q', 'kind', 'group']} />
        )
      }
    </Loaded>
  );
}

/** A group as the columns of endpoints read it; what a group has not is not known. */
const asEndpoint = (row: GroupRow): GroupRow & EndpointRow => ({
  ...row,
  kind: 'web',
  method: null,
  route: null,
  view: null,
  cpu_ms: null,
  queue_ms: null,
  spark: [],
  flags: [],
  why: null,
  where: null,
});

/** Groups in the order that is shown. */
export const ordered = (groups: GroupRow[], order: Order): (GroupRow & EndpointRow)[] =>
  sorted(groups.map(asEndpoint), endpointColumns([], () => '', false), order);

function Grouped({ data, order, hidden }: { data: GroupsAnswer; order: Order; hidden: string[] }) {
  const query = useQuery();
  const rows = useMemo(() => ordered(data.groups, order), [data, order.column, order.descending]);
  const services = data.services.length > 1 && !query.get('service');
  // Its endpoints are those whose view has this text.
  const hrefOf = (row: EndpointRow) =>
    query.link('endpoints', {
      q: row.name.startsWith('(') ? null : row.name,
      service: row.service,
      group: null,
      kind: query.get('kind') || null,
    });
  const columns = useMemo(() => {
    const all = endpointColumns(rows, hrefOf, services).filter(({ id }) => id !== 'spark' && !hidden.includes(id));
    const name: Column<GroupRow & EndpointRow> = {
      ...all[0]!,
      title: 'Group',
      cell: (row) => (
        <div class="endpoint group-of">
          <div class="names">
            <a class="route" href={hrefOf(row)} title={f.tame(row.name)} dir="ltr">
              {f.tame(row.name)}
            </a>
            {services && <span class="faint">{f.tame(row.service, 30)}</span>}
          </div>
          <div class="muted">{f.plural(row.endpoints, 'endpoint')}</div>
        </div>
      ),
    };
    return [name, ...all.slice(1)];
  }, [rows, services, hidden.join(), query.search]);
  return (
    <Table
      label="Groups of endpoints, arrow keys move, Enter opens"
      columns={columns}
      rows={rows}
      keyOf={(row) => `${row.service} ${row.name}`}
      height={57}
      hrefOf={hrefOf}
      order={order}
      sort={(next) => query.set({ sort: next.column, dir: next.descending ? 'desc' : 'asc' }, { replace: true })}
    />
  );
}
