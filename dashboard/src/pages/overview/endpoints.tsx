/** The ten endpoints that cost most, or the ten that a filter or another order picks out of all. */
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { OverviewAnswer } from '../../api/overview.ts';
import type { EndpointsAnswer } from '../../api/endpoints.ts';
import type { EndpointRow } from '../../api/types.ts';
import { useAnswer } from '../../api/use.ts';
import { API_SORTS, endpointColumns } from '../../parts/endpoints.tsx';
import { Icon } from '../../parts/icon.tsx';
import { Panel } from '../../parts/panel.tsx';
import { Failure } from '../../parts/states.tsx';
import { type Order, Table, sorted } from '../../parts/table.tsx';
import { useQuery } from '../../state/query.ts';

const ROWS = 10;
const COSTLIEST: Order = { column: 'share', descending: true };

export function Ranking({ data }: { data: OverviewAnswer }) {
  const query = useQuery();
  const [text, setText] = useState('');
  const wanted = useSettled(text.trim());
  const [order, setOrder] = useState<Order>(COSTLIEST);
  const usual = !wanted && order.column === 'share';
  const answer = useAnswer<EndpointsAnswer>(
    'endpoints',
    { q: wanted, sort: API_SORTS[order.column] ?? 'share', limit: ROWS },
    { skip: usual },
  );
  const rows = usual ? data.endpoints : (answer.data?.endpoints ?? data.endpoints);
  const hrefOf = (row: EndpointRow) => query.link('endpoint', { name: row.name, kind: row.kind, service: row.service });
  const services = new Set(data.endpoints.map((row) => row.service)).size > 1 && !query.get('service');
  const columns = useMemo(
    () =>
      endpointColumns(rows, hrefOf, services)
        .filter((column) => column.id !== 'rss')
        // what the API cannot order all endpoints by would only order these ten
        .map((column) => (column.id in API_SORTS ? column : { ...column, value: undefined })),
    [rows, query.search, services],
  );
  return (
    <Panel
      id="endpoints"
      class="dense"
      title="Endpoints"
      sub={wanted ? `with “${wanted}” in their name` : 'ranked by share of all request time'}
      tools={
        <>
          <label class="search">
            <Icon name="search" />
            <span class="sr-only">Filter endpoints</span>
            <input type="search" placeholder="Filter" value={text} onInput={(event) => setText(event.currentTarget.value)} />
          </label>
          <a class="button" href={query.link('endpoints', { q: wanted })}>
            All endpoints
          </a>
        </>
      }
    >
      {answer.error && !usual && <Failure error={answer.error} what="the endpoints" retry={answer.reload} />}
      {rows.length ? (
        <Table
          label="Endpoints, arrow keys move, Enter opens"
          columns={columns}
          rows={usual ? sorted(rows, columns, order) : rows}
          keyOf={(row) => `${row.service} ${row.kind} ${row.name}`}
          height={57}
          hrefOf={hrefOf}
          order={order}
          sort={({ column }) => setOrder({ column, descending: column !== 'name' })}
        />
      ) : (
        <p class="empty-line">No endpoint has that in its name.</p>
      )}
    </Panel>
  );
}

/** A text once nobody has typed for a moment. */
function useSettled(text: string): string {
  const [settled, set] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => set(text), 200);
    return () => clearTimeout(timer);
  }, [text]);
  return settled;
}
