/** The slowest requests, at most two an endpoint. */
import type { OverviewAnswer } from '../../api/overview.ts';
import { Panel } from '../../parts/panel.tsx';
import { Table } from '../../parts/table.tsx';
import { traceColumns } from '../../parts/traces.tsx';
import { useQuery } from '../../state/query.ts';
import type { TraceRow } from '../../api/types.ts';

const SHOWN = ['name', 'duration', 'kinds', 'status', 'time'];

export function Slowest({ data }: { data: OverviewAnswer }) {
  const query = useQuery();
  const hrefOf = (row: TraceRow) => query.link('trace', { id: row.id });
  return (
    <Panel
      id="slowest"
      title="Slowest traces"
      sub="at most two per endpoint"
      tools={
        <a class="link" href={query.link('traces')}>
          All traces
        </a>
      }
    >
      {data.slowest.length ? (
        <Table
          label="Slowest traces, arrow keys move, Enter opens"
          columns={traceColumns(hrefOf).filter((column) => SHOWN.includes(column.id))}
          rows={data.slowest}
          keyOf={(row) => row.id}
          hrefOf={hrefOf}
          height={36}
        />
      ) : (
        <p class="empty-line">No single request of this range is kept any more. The figures above come from sums.</p>
      )}
    </Panel>
  );
}
