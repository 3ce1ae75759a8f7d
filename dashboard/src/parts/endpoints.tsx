/** The columns of tables of endpoints: what each shows and what it sorts by. */
import type { EndpointRow } from '../api/types.ts';
import { Glyph, Spark } from '../draw/small.tsx';
import { Change, Flag, KindBar, Name, Percentile } from './bits.tsx';
import type { Column } from './table.tsx';
import * as f from '../text/format.ts';

/** What the API can order by, and the column that shows it. */
export const API_SORTS: Record<string, string> = {
  name: 'name',
  share: 'share',
  rate: 'count',
  p50: 'p50',
  p95: 'p95',
  p99: 'p99',
  change: 'change',
  errors: 'errors',
  queries: 'queries',
  rss: 'rss',
};

export const PRESETS = [
  { id: 'share', title: 'Costliest', tip: 'Most time in total first' },
  { id: 'p95', title: 'Slowest', tip: 'Highest p95 first' },
  { id: 'change', title: 'Regressed', tip: 'Largest growth of p95 first' },
  { id: 'errors', title: 'Errors', tip: 'Most failed calls first' },
  { id: 'queries', title: 'Queries', tip: 'Most queries per call first' },
  { id: 'rss', title: 'Memory', tip: 'Most memory kept per call first' },
];

/** Columns that a narrow look at the table can do without. */
export const OPTIONAL = ['rate', 'glyph', 'p50', 'p99', 'change', 'errors', 'queries', 'rss', 'spark'];

const worse = (row: EndpointRow): boolean => (row.p95_change ?? 0) > 0.5;

export function endpointColumns(
  rows: EndpointRow[],
  hrefOf: (row: EndpointRow) => string,
  services: boolean,
): Column<EndpointRow>[] {
  const most = Math.max(...rows.map((row) => row.share), 1e-9);
  const [low, high] = latencyAxis(rows);
  return [
    {
      id: 'name',
      title: 'Endpoint',
      wide: true,
      value: (row) => row.name,
      ascending: true,
      cell: (row) => <Endpoint row={row} href={hrefOf(row)} service={services} />,
    },
    {
      id: 'share',
      title: 'Time consumed',
      formula: 'share',
      value: (row) => row.share,
      cell: (row) => (
        <span class="share">
          <KindBar kinds={row.kinds} width={row.share / most} />
          <b>{f.percent(row.share)}</b>
        </span>
      ),
    },
    {
      id: 'rate',
      title: 'Calls/min',
      formula: 'rate',
      right: true,
      value: (row) => row.per_min,
      cell: (row) => <span data-tip={f.plural(row.count, 'call')}>{f.rate(row.per_min)}</span>,
    },
    {
      id: 'glyph',
      title: `Latency ${f.mark(low)}–${f.mark(high)}`,
      formula: 'glyph',
      cell: (row) => (
        <span class={row.count < f.THIN ? 'thin' : ''}>
          <Glyph p50={row.p50_ms} p95={row.p95_ms} p99={row.p99_ms} low={low} high={high} width={112} worse={worse(row)} />
        </span>
      ),
    },
    {
      id: 'p50',
      title: 'p50',
      formula: 'p50',
      right: true,
      value: (row) => row.p50_ms,
      cell: (row) => <Percentile value={row.p50_ms} count={row.count} />,
    },
    {
      id: 'p95',
      title: 'p95',
      formula: 'p95',
      right: true,
      value: (row) => row.p95_ms,
      cell: (row) => <Percentile value={row.p95_ms} count={row.count} strong />,
    },
    {
      id: 'p99',
      title: 'p99',
      formula: 'p99',
      right: true,
      value: (row) => row.p99_ms,
      cell: (row) => <Percentile value={row.p99_ms} count={row.count} />,
    },
    {
      id: 'change',
      title: 'p95 change',
      formula: 'change',
      right: true,
      value: (row) => row.p95_change,
      cell: (row) => <Change share={row.p95_change} />,
    },
    {
      id: 'errors',
      title: 'Errors',
      formula: 'errors',
      right: true,
      value: (row) => row.errors,
      cell: (row) => <Errors row={row} />,
    },
    {
      id: 'queries',
      title: 'Queries',
      formula: 'queries',
      right: true,
      value: (row) => row.queries_per_call,
      cell: (row) => f.mean(row.queries_per_call),
    },
    { id: 'rss', title: 'RSS/call', formula: 'rss', right: true, value: (row) => row.rss_kb, cell: (row) => <Rss row={row} /> },
    {
      id: 'spark',
      title: 'p95 trend',
      formula: 'spark',
      cell: (row) => <Spark values={row.spark} width={64} worse={worse(row)} />,
    },
  ];
}

/** One axis for all rows, rounded out to 1, 2 or 5 of a power of ten. */
function latencyAxis(rows: EndpointRow[]): [number, number] {
  const known = rows.flatMap((row) => [row.p50_ms, row.p99_ms]).filter((value): value is number => value !== null && value > 0);
  if (!known.length) return [1, 1000];
  const steps = (value: number) => [1, 2, 5, 10].map((factor) => factor * 10 ** Math.floor(Math.log10(value)));
  const low = steps(Math.min(...known)).findLast((step) => step <= Math.min(...known))!;
  const high = steps(Math.max(...known)).find((step) => step >= Math.max(...known))!;
  return [low, Math.max(high, low * 10)];
}

function Endpoint({ row, href, service }: { row: EndpointRow; href: string; service: boolean }) {
  return (
    <div class="endpoint">
      <div class="names">
        <Name method={row.method} route={row.route} name={row.name} href={href} />
        {service && <span class="faint">{f.tame(row.service, 30)}</span>}
        {row.kind !== 'web' && <span class="flag">{f.tame(row.kind, 20)}</span>}
        {row.flags.slice(0, 3).map((flag) => (
          <Flag key={flag} name={flag} />
        ))}
      </div>
      {row.why ? <Why text={row.why} where={row.where} /> : row.view && <div class="why mono one">{f.tame(row.view, 120)}</div>}
    </div>
  );
}

/** The cause in words, and the source line, which is what one came for. */
function Why({ text, where }: { text: string; where: string | null }) {
  const words = where && text.endsWith(where) ? text.slice(0, -where.length) : text;
  return (
    <div class="why" title={f.tame(text)}>
      {f.tame(words.trimEnd(), 200)}
      {where && (
        <>
          {' '}
          <span class="mono soft">{f.shortPath(where, 2)}</span>
        </>
      )}
    </div>
  );
}

function Errors({ row }: { row: EndpointRow }) {
  const share = row.count ? row.errors / row.count : 0;
  if (!row.errors) return <span class="faint">0</span>;
  return (
    <span class={share > 0.01 ? 'bad' : ''} data-tip={`${f.whole(row.errors)} of ${f.plural(row.count, 'call')}`}>
      {f.percent(share)}
    </span>
  );
}

function Rss({ row }: { row: EndpointRow }) {
  if (row.rss_kb === null)
    return (
      <span class="faint" data-tip="No call had the process to itself, so memory cannot be told apart.">
        {f.NONE}
      </span>
    );
  return (
    <span
      class={row.rss_calls < f.THIN ? 'thin' : ''}
      data-tip={`From ${f.plural(row.rss_calls, 'call')} that had the process to themselves.`}
    >
      {f.kb(row.rss_kb, true)}
    </span>
  );
}
