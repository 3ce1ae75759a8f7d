/** The Endpoints table, or its groups, as a file for a spreadsheet. */
import type { GroupRow } from '../../api/groups.ts';
import type { EndpointRow } from '../../api/types.ts';

const COLUMNS: (keyof EndpointRow)[] = [
  'service',
  'kind',
  'name',
  'view',
  'count',
  'per_min',
  'share',
  'total_ms',
  'mean_ms',
  'p50_ms',
  'p95_ms',
  'p99_ms',
  'max_ms',
  'p95_change',
  'errors',
  'queries_per_call',
  'rss_kb',
  'cpu_ms',
  'why',
];

const OF_GROUPS: (keyof GroupRow)[] = [
  'service',
  'name',
  'endpoints',
  'count',
  'per_min',
  'share',
  'total_ms',
  'mean_ms',
  'p50_ms',
  'p95_ms',
  'p99_ms',
  'max_ms',
  'p95_change',
  'errors',
  'queries_per_call',
  'rss_kb',
];

/** Names come from strangers: a cell that a spreadsheet would run as a formula gets a quote before it. */
export function cell(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number') return String(value);
  const text = String(value).replace(/^[=+\-@\t\r]/, "'$&");
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function table<Row>(columns: (keyof Row)[], rows: Row[]): string {
  return [columns.join(','), ...rows.map((row) => columns.map((column) => cell(row[column])).join(','))].join('\r\n');
}

export const csv = (rows: EndpointRow[]): string => table(COLUMNS, rows);

export const csvOfGroups = (rows: GroupRow[]): string => table(OF_GROUPS, rows);

export function download(text: string, name: string): void {
  const anchor = document.createElement('a');
  anchor.href = URL.createObjectURL(new Blob([text], { type: 'text/csv' }));
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 1000);
}
