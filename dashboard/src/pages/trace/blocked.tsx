/** Who held the event loop while this one was ready to run, and how many waited while this one held it. */
import type { BlockedBy, TraceAnswer } from '../../api/trace.ts';
import { Panel } from '../../parts/panel.tsx';
import { placeText } from '../../parts/source.tsx';
import { type Column, Table } from '../../parts/table.tsx';
import { useQuery } from '../../state/query.ts';
import * as f from '../../text/format.ts';

export function Blocked({ data: { blocked_by, blocking } }: { data: TraceAnswer }) {
  const query = useQuery();
  if (!blocked_by.length && !blocking) return null;
  const columns: Column<BlockedBy>[] = [
    {
      id: 'name',
      title: 'Transaction',
      wide: true,
      cell: (row) =>
        row.trace ? (
          <a class="link mono" href={query.link('trace', { id: row.trace })}>
            {f.tame(row.name, 200)}
          </a>
        ) : (
          <span class="mono">{f.tame(row.name, 200)}</span>
        ),
    },
    {
      id: 'where',
      title: 'Line that held the loop',
      cell: ({ where }) => (
        <span class="mono" title={f.tame(where?.source ?? '', 300)}>
          {where ? `${f.tame(where.function ?? '', 60)} ${placeText(where)}` : f.NONE}
        </span>
      ),
    },
    { id: 'ms', title: 'Waited', tip: 'Ready to run, and not run: certain', right: true, cell: (row) => f.ms(row.ms) },
    {
      id: 'uncertain',
      title: 'Perhaps more',
      tip: 'What it awaited had come when the loop was free again; when it came cannot be seen',
      right: true,
      cell: (row) => f.ms(row.uncertain_ms),
    },
  ];
  return (
    <Panel id="blocked" title="Event loop" sub={blocked_by.length ? 'who held it while this one was ready to run' : undefined}>
      {blocking && (
        <p class="hint">
          {f.plural(blocking.victims, 'other transaction')} waited {f.ms(blocking.ms)} together while this one held the loop
          {blocking.uncertain_ms > 0 && `, and perhaps ${f.ms(blocking.uncertain_ms)} more`}.
        </p>
      )}
      {blocked_by.length > 0 && (
        <Table
          label="Blocked by"
          columns={columns}
          rows={blocked_by}
          keyOf={(row) => `${row.name}:${row.trace}:${placeText(row.where)}`}
          height={30}
        />
      )}
    </Panel>
  );
}
