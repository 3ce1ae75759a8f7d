/** The columns of every table of transactions. */
import type { TraceRow } from '../api/types.ts';
import * as f from '../text/format.ts';
import { KindBar, Moment, Name, Status } from './bits.tsx';
import type { Column } from './table.tsx';

const KEPT: Record<string, string> = {
  slow: 'slower than its endpoint usually is',
  failed: 'it failed',
  first: 'first of its endpoint in this release',
  memory: 'it made the process larger by much more than its endpoint usually does',
  insight: 'a cause was found in it',
  uniform: 'picked evenly, whatever it was like',
  captured: 'it was measured on demand',
};

/** Why it was kept; `share` is the chance it had, where it is known. */
export const keptWords = (kept: string, share?: number): string =>
  (KEPT[kept] ?? f.tame(kept, 60)) +
  (kept === 'uniform' && share !== undefined
    ? share < 1
      ? `: one of ${f.whole(Math.round(1 / share))} was at that time`
      : ': at that time all were'
    : '');

export function traceColumns(hrefOf: (row: TraceRow) => string, { endpoint = true } = {}): Column<TraceRow>[] {
  const columns: Column<TraceRow>[] = [
    {
      id: 'name',
      title: endpoint ? 'Transaction' : 'Path',
      wide: true,
      cell: (row) => (
        <span class="names">
          <Name
            method={row.method}
            route={endpoint ? row.route : (row.path ?? row.route)}
            name={endpoint ? row.name : (row.path ?? row.name)}
            href={hrefOf(row)}
          />
          {endpoint && row.path && row.path !== row.route && <span class="faint mono path">{f.tame(row.path, 120)}</span>}
        </span>
      ),
    },
    { id: 'duration', title: 'Duration', formula: 'duration', right: true, cell: (row) => <b>{f.ms(row.duration_ms)}</b> },
    {
      id: 'kinds',
      title: 'By kind',
      cell: (row) => (
        <span class="kindcell">
          <KindBar kinds={row.kinds} height={8} />
        </span>
      ),
    },
    { id: 'queries', title: 'Queries', right: true, cell: (row) => f.whole(row.queries) },
    {
      id: 'rss',
      title: 'RSS',
      right: true,
      tip: 'Resident memory after minus before; marked where other transactions ran at the same time.',
      cell: (row) => (
        <span
          class={row.rss_shared ? 'thin' : ''}
          data-tip={row.rss_shared ? 'Others ran at the same time: this may be theirs.' : undefined}
        >
          {row.rss_kb === null ? f.NONE : f.kb(row.rss_kb, true)}
          {row.rss_shared && row.rss_kb !== null ? ' *' : ''}
        </span>
      ),
    },
    { id: 'status', title: 'Status', cell: (row) => <Status status={row.status} failed={row.failed} error={row.error} /> },
    {
      id: 'kept',
      title: 'Kept',
      tip: 'Why this transaction was kept with its spans and samples; a dash means that only its row was.',
      cell: (row) =>
        row.kept ? (
          <span class="flag" data-tip={`Kept: ${keptWords(row.kept)}.`}>
            {f.tame(row.kept, 20)}
          </span>
        ) : (
          <span class="faint">{f.NONE}</span>
        ),
    },
    {
      id: 'release',
      title: 'Release',
      cell: (row) => <span class="mono soft">{row.release ? f.tame(row.release, 24) : f.NONE}</span>,
    },
    { id: 'time', title: 'Time', right: true, cell: (row) => <Moment at={row.t} /> },
  ];
  return columns;
}
