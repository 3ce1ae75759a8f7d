/** Which workers tell, and which are silent. */
import type { Worker } from '../../api/live.ts';
import { Panel } from '../../parts/panel.tsx';
import { type Column, Table } from '../../parts/table.tsx';
import * as f from '../../text/format.ts';

const SILENT =
  'It answers nothing: nothing of it is in flight, or something in it holds the interpreter (GIL) and lets nobody else run.';

const COLUMNS: Column<Worker>[] = [
  {
    id: 'worker',
    title: 'Worker',
    wide: true,
    cell: (row) => (
      <span class="mono num">
        {f.tame(row.host, 60)}:{row.pid}
      </span>
    ),
  },
  { id: 'service', title: 'Service', cell: (row) => f.tame(row.service, 60) },
  {
    id: 'answers',
    title: 'Answers',
    cell: (row) =>
      row.answers ? (
        <span class="chip good">tells</span>
      ) : (
        <span class="chip" data-tip={SILENT}>
          silent
        </span>
      ),
  },
  { id: 'flights', title: 'In flight', right: true, cell: (row) => (row.answers ? f.whole(row.in_flight) : f.NONE) },
  {
    id: 'wrote',
    title: 'Last wrote',
    tip: 'When it last wrote transactions into the store',
    right: true,
    cell: (row) => (row.last_seen === null ? 'never' : f.ago(row.last_seen)),
  },
  {
    id: 'cost',
    title: 'Cost of telling',
    tip: 'Processor time that telling takes ÷ time, of one core, since this page asks',
    right: true,
    cell: (row) => f.percent(row.cost_share, 2),
  },
];

export function Workers({ rows }: { rows: Worker[] }) {
  const silent = rows.filter((row) => !row.answers).length;
  return (
    <Panel
      id="workers"
      title="Workers"
      sub={
        rows.length
          ? `${f.whole(rows.length - silent)} tell, ${f.whole(silent)} silent: idle, or something in them holds the interpreter`
          : undefined
      }
    >
      {rows.length ? (
        <Table label="Workers" columns={COLUMNS} rows={rows} keyOf={(row) => `${row.host} ${row.pid}`} height={34} />
      ) : (
        <p class="empty-line">
          No process wrote to this store in the last 10 minutes, and none tells. Is the app running, with its sampler on?
        </p>
      )}
    </Panel>
  );
}
