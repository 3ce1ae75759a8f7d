/** The Endpoints table as a file for a spreadsheet. */
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

/** Names come from strangers: a cell that a spreadsheet would run as a formula gets a quote before it. */
export function cell(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number') return String(value);
  const text = String(value).replace(/^[=+\-@\t\r]/, "'$&");
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function csv(rows: EndpointRow[]): string {
  return [COLUMNS.join(','), ...rows.map((row) => COLUMNS.map((column) => cell(row[column])).join(','))].join('\r\n');
}

export function downloadCsv(rows: EndpointRow[]): void {
  const anchor = document.createElement('a');
  anchor.href = URL.createObjectURL(new Blob([csv(rows)], { type: 'text/csv' }));
  anchor.download = 'endpoints.csv';
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 1000);
}
