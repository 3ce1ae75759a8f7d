/** The statements an endpoint runs: how often a call, how long, and who asked. */
import { useState } from 'preact/hooks';
import type { EndpointAnswer } from '../../api/endpoint.ts';
import type { Statement } from '../../api/types.ts';
import { Bar } from '../../parts/bits.tsx';
import { Panel } from '../../parts/panel.tsx';
import { Sql, placeText } from '../../parts/source.tsx';
import { type Column, type Order, Table, sorted } from '../../parts/table.tsx';
import { useQuery } from '../../state/query.ts';
import * as f from '../../text/format.ts';
import { brief } from '../../text/sql.ts';

const MANY = 5;

export function Statements({ data }: { data: EndpointAnswer }) {
  const query = useQuery();
  const [order, sort] = useState<Order>({ column: 'time', descending: true });
  const [open, setOpen] = useState<string | null>(null);
  const most = Math.max(...data.statements.map((one) => one.total_ms), 1e-9);
  const columns: Column<Statement>[] = [
    {
      id: 'text',
      title: 'Statement',
      wide: true,
      cell: (one) => (
        <button
          type="button"
          class="quiet mono cut"
          aria-expanded={open === one.id}
          onClick={() => setOpen(open === one.id ? null : one.id)}
        >
          {f.tame(brief(one.text), 300)}
        </button>
      ),
    },
    {
      id: 'runs',
      title: 'Runs/call',
      tip: 'Runs ÷ calls',
      right: true,
      value: (one) => one.runs_per_call ?? 0,
      cell: (one) =>
        (one.runs_per_call ?? 0) >= MANY ? (
          <b class="bad" data-tip="Repeated within one call: a join or a prefetch may do it in one.">
            {f.mean(one.runs_per_call)}
          </b>
        ) : (
          f.mean(one.runs_per_call)
        ),
    },
    {
      id: 'time',
      title: 'Total time',
      value: (one) => one.total_ms,
      cell: (one) => <Bar share={one.total_ms / most} text={f.span(one.total_ms)} tone="k-db" />,
    },
    {
      id: 'share',
      title: 'Share',
      formula: 'spanShare',
      right: true,
      value: (one) => one.share ?? null,
      cell: (one) => f.percent(one.share),
    },
    { id: 'mean', title: 'Each', formula: 'each', right: true, value: (one) => one.mean_ms, cell: (one) => f.ms(one.mean_ms) },
    { id: 'max', title: 'Max', right: true, value: (one) => one.max_ms, cell: (one) => f.ms(one.max_ms) },
    {
      id: 'where',
      title: 'Called from',
      cell: (one) => <span class="mono faint">{one.where ? f.shortPath(placeText(one.where)) : f.NONE}</span>,
    },
  ];
  const shown = data.statements.find((one) => one.id === open);
  return (
    <Panel id="statements" title="Queries" sub={f.plural(data.statements.length, 'statement')}>
      {data.statements.length ? (
        <Table
          label="Queries"
          columns={columns}
          rows={sorted(data.statements, columns, order)}
          keyOf={(one) => one.id}
          height={36}
          order={order}
          sort={sort}
        />
      ) : (
        <p class="empty-line">No database statement ran in these calls.</p>
      )}
      {shown && (
        <div class="block">
          <Sql text={shown.text} />
          <a class="link" href={query.link('query', { id: shown.id })}>
            All of this query
          </a>
        </div>
      )}
    </Panel>
  );
}
