/** Which endpoints send a statement, and from which lines. */
import { useState } from 'preact/hooks';
import type { QueryAnswer, Sender } from '../../api/queries.ts';
import { Bar, Name } from '../../parts/bits.tsx';
import { Panel } from '../../parts/panel.tsx';
import { PlaceLink } from '../../parts/source.tsx';
import { type Column, type Order, Table, sorted } from '../../parts/table.tsx';
import { useQuery } from '../../state/query.ts';
import * as f from '../../text/format.ts';

const MANY = 5;

export function Senders({ data }: { data: QueryAnswer }) {
  const query = useQuery();
  const [order, sort] = useState<Order>({ column: 'time', descending: true });
  const hrefOf = (one: Sender) => query.link('endpoint', { name: one.name, kind: one.kind, service: one.service });
  const columns: Column<Sender>[] = [
    {
      id: 'name',
      title: 'Endpoint',
      wide: true,
      ascending: true,
      value: (one) => one.name,
      cell: (one) => (
        <span class="names">
          <Name method={one.method} route={one.route} name={one.name} href={hrefOf(one)} />
        </span>
      ),
    },
    {
      id: 'where',
      title: 'Sent from',
      cell: (one) => (one.where ? <PlaceLink place={one.where} short /> : <span class="faint">line not known</span>),
    },
    {
      id: 'time',
      title: 'Share of its time',
      tip: 'Time of this statement from this endpoint and line ÷ all its time',
      value: (one) => one.total_ms,
      cell: (one) => <Bar share={one.share} text={f.percent(one.share)} tone="k-db" />,
    },
    { id: 'runs', title: 'Runs', right: true, value: (one) => one.runs, cell: (one) => f.whole(one.runs) },
    {
      id: 'per_call',
      title: 'Runs/call',
      tip: 'Runs ÷ calls that ran it at all',
      right: true,
      value: (one) => one.runs_per_call,
      cell: (one) =>
        one.runs_per_call >= MANY ? (
          <b class="bad" data-tip="Repeated within one call: a join or a prefetch may do it in one.">
            {f.mean(one.runs_per_call)}
          </b>
        ) : (
          f.mean(one.runs_per_call)
        ),
    },
    { id: 'mean', title: 'Each', formula: 'each', right: true, value: (one) => one.mean_ms, cell: (one) => f.ms(one.mean_ms) },
    { id: 'max', title: 'Max', right: true, value: (one) => one.max_ms, cell: (one) => f.ms(one.max_ms) },
  ];
  return (
    <Panel id="senders" title="Who sends it" sub={f.plural(data.senders.length, 'line')}>
      <Table
        label="Endpoints and lines that send it, arrow keys move, Enter opens"
        columns={columns}
        rows={sorted(data.senders, columns, order)}
        keyOf={(one) => `${one.service} ${one.kind} ${one.name} ${one.where?.file}:${one.where?.line}`}
        hrefOf={hrefOf}
        height={38}
        order={order}
        sort={sort}
      />
    </Panel>
  );
}
