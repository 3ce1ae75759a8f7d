/** Endpoints by what all their calls cost more or less. */
import { useState } from 'preact/hooks';
import type { CompareAnswer, EndpointPair } from '../../api/compare.ts';
import { Change, Name } from '../../parts/bits.tsx';
import { Diverging, Signed } from '../../parts/delta.tsx';
import { Panel } from '../../parts/panel.tsx';
import { type Column, Table } from '../../parts/table.tsx';
import { useQuery } from '../../state/query.ts';
import * as f from '../../text/format.ts';
import { Pair, Status } from './bits.tsx';

const FIRST = 12;

export function Endpoints({ data }: { data: CompareAnswer }) {
  const query = useQuery();
  const [all, showAll] = useState(false);
  const { endpoints: rows } = data;
  if (rows.length < 2) return null;
  const most = Math.max(...rows.map((row) => (row.thin ? 0 : Math.abs(row.cost_ms ?? 0))), 0);
  const hrefOf = (row: EndpointPair) =>
    query.link('compare', { a: data.a.label, b: data.b.label, name: row.name, kind: row.kind, service: row.service });
  const services = new Set(rows.map((row) => row.service)).size > 1;
  const sure = (row: EndpointPair) => !row.thin && row.status === 'changed';
  const columns: Column<EndpointPair>[] = [
    {
      id: 'endpoint',
      title: 'Endpoint',
      wide: true,
      cell: (row) => (
        <span class="names">
          <Name method={row.method} route={row.route} name={row.name} href={hrefOf(row)} />
          {services && <span class="faint">{f.tame(row.service, 40)}</span>}
          {row.status !== 'same' && row.status !== 'changed' && <Status status={row.status} />}
        </span>
      ),
    },
    {
      id: 'calls',
      title: 'Calls',
      formula: 'count',
      right: true,
      cell: (row) => <Pair before={f.whole(row.before.count)} after={f.whole(row.after.count)} />,
    },
    {
      id: 'mean',
      title: 'Mean',
      tip: 'All time ÷ calls',
      right: true,
      cell: (row) => <Pair before={f.ms(row.before.mean_ms)} after={f.ms(row.after.mean_ms)} />,
    },
    {
      id: 'p95',
      title: 'p95',
      formula: 'p95',
      right: true,
      cell: (row) => <Pair before={f.ms(row.before.p95_ms)} after={f.ms(row.after.p95_ms)} />,
    },
    {
      id: 'p95_change',
      title: 'p95 change',
      tip: 'p95 after ÷ p95 before, minus 1. Needs 30 calls a side.',
      right: true,
      cell: (row) =>
        row.thin ? (
          <span class="thin" data-tip="Under 30 calls on a side: not ranked">
            too few
          </span>
        ) : (
          <Change share={row.p95_change} neutral={!sure(row)} />
        ),
    },
    {
      id: 'cost',
      title: 'All calls',
      tip: '(Mean after − mean before) × calls after',
      right: true,
      cell: (row) =>
        row.thin ? (
          <span class="faint">{f.NONE}</span>
        ) : (
          <b>
            <Signed ms={row.cost_ms} sure={sure(row)} />
          </b>
        ),
    },
    {
      id: 'bar',
      title: 'less · more',
      cell: (row) => <Diverging ms={row.thin ? null : row.cost_ms} most={most} sure={sure(row)} />,
    },
  ];
  return (
    <Panel id="endpoints" title="Endpoints by change" sub="by what all their calls cost more or less; too few calls last">
      <Table
        label="Endpoints by change, arrow keys move, Enter compares one"
        columns={columns}
        rows={all ? rows : rows.slice(0, FIRST)}
        keyOf={(row) => `${row.service} ${row.kind} ${row.name}`}
        hrefOf={hrefOf}
        height={40}
      />
      {rows.length > FIRST && (
        <p class="more">
          <button type="button" class="button" aria-expanded={all} onClick={() => showAll(!all)}>
            {all ? `First ${FIRST}` : `All ${f.whole(rows.length)}`}
          </button>
        </p>
      )}
    </Panel>
  );
}
