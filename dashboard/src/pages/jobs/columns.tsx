/** The columns of the Jobs page: those of endpoints, and what is told of jobs alone. */
import type { EndpointRow } from '../../api/types.ts';
import type { JobRow } from '../../api/jobs.ts';
import { endpointColumns } from '../../parts/endpoints.tsx';
import type { Column } from '../../parts/table.tsx';
import * as f from '../../text/format.ts';

export const PRESETS = [
  { id: 'share', title: 'Costliest', tip: 'Most time in total first' },
  { id: 'run', title: 'Slowest', tip: 'Highest p95 of run time first' },
  { id: 'wait', title: 'Longest wait', tip: 'Highest p95 of the wait before it ran first' },
  { id: 'errors', title: 'Most failures', tip: 'Most failed runs first' },
  { id: 'change', title: 'Regressed', tip: 'Largest growth of p95 first' },
];

/** What the API can order by, and the column that shows it. */
export const API_SORTS: Record<string, string> = {
  name: 'name',
  share: 'share',
  rate: 'count',
  wait: 'wait',
  run: 'p95',
  change: 'change',
  errors: 'errors',
  retries: 'retries',
  last: 'last',
};

export const OPTIONAL = ['rate', 'wait', 'run', 'glyph', 'change', 'retries', 'last', 'spark'];

export const looked = (count: number): string => `of the newest ${f.plural(count, 'run')}`;

/** `written`: when the store was last written, in a range that goes up to now; null in one that is past. */
export function jobColumns(
  rows: JobRow[],
  hrefOf: (row: EndpointRow) => string,
  services: boolean,
  written: number | null,
): Column<JobRow>[] {
  const of = Object.fromEntries(endpointColumns(rows, hrefOf, services).map((column) => [column.id, column]));
  const [name, share, rate, glyph, change, errors, spark] = ['name', 'share', 'rate', 'glyph', 'change', 'errors', 'spark'].map(
    (id) => of[id]!,
  );
  return [
    // all of them are of this kind: no row need say so
    { ...name!, title: 'Job', cell: (row) => name!.cell({ ...row, kind: 'web' }) },
    {
      ...share!,
      tip: 'All run time of this job ÷ all time of all endpoints and jobs, in this range. The wait before is no part of it.',
      formula: undefined,
      cell: (row) => share!.cell({ ...row, kinds: { ...row.kinds, queue: 0 } }),
    },
    { ...rate!, title: 'Runs/min' },
    {
      id: 'wait',
      title: 'Wait p50 · p95',
      tip: 'From when it was enqueued, or was due, to when it began to run. Exact, of the newest runs in this range.',
      right: true,
      value: (row) => row.wait.p95_ms,
      cell: (row) => <WaitPair row={row} />,
    },
    {
      id: 'run',
      title: 'Run p50 · p95',
      tip: 'How long it ran, without the wait. From histogram buckets; at most 1.1% off.',
      right: true,
      value: (row) => row.p95_ms,
      cell: (row) => <Pair p50={row.p50_ms} p95={row.p95_ms} count={row.count} />,
    },
    { ...glyph!, title: glyph!.title.replace('Latency', 'Run') },
    { ...change!, title: 'Change' },
    { ...errors!, title: 'Failed', tip: 'Runs that failed for good ÷ all runs. Runs that are tried again are no failures.', formula: undefined },
    {
      id: 'retries',
      title: 'Retries',
      tip: 'Runs that failed and are to be tried again, of the newest runs in this range.',
      right: true,
      value: (row) => row.retries,
      cell: (row) =>
        row.retries ? (
          <span data-tip={`${f.plural(row.retries, 'run')} of the newest ${f.whole(row.looked)} ended to be tried again`}>
            {f.whole(row.retries)}
          </span>
        ) : (
          <span class="faint">0</span>
        ),
    },
    {
      id: 'last',
      title: 'Last run',
      tip: 'When the newest run in this range began. Below, where at least 80% of the gaps between runs are within a tenth of the median gap: that gap, and how far 95 of 100 gaps are off it at most.',
      right: true,
      value: (row) => row.last,
      cell: (row) => <Last row={row} written={written} />,
    },
    { ...spark!, title: 'Run p95' },
  ];
}

function WaitPair({ row }: { row: JobRow }) {
  const { wait } = row;
  if (!wait.count && row.queue_ms !== null)
    return (
      <span class="soft" data-tip="Mean of all runs, from the rollups: no single run of this range is left in the store.">
        mean {f.ms(row.queue_ms)}
      </span>
    );
  if (!wait.count)
    return (
      <span class="faint" data-tip="Its library does not tell when it was enqueued.">
        {f.NONE}
      </span>
    );
  const longer = wait.p95_ms !== null && row.p95_ms !== null && wait.p95_ms > row.p95_ms;
  return (
    <span data-tip={longer ? 'It waits longer than it runs.' : undefined}>
      <Pair p50={wait.p50_ms} p95={wait.p95_ms} count={wait.count} tone={longer ? 'longer' : ''} />
    </span>
  );
}

function Pair({ p50, p95, count, tone = '' }: { p50: number | null; p95: number | null; count: number; tone?: string }) {
  const thin = count < f.THIN;
  return (
    <span
      class={`pair ${thin ? 'thin' : ''}`}
      data-tip={thin ? `Only ${f.plural(count, 'run')}: under ${f.THIN} a percentile says little.` : undefined}
    >
      <span class={thin ? '' : 'soft'}>{f.ms(p50)}</span>
      {thin ? <span>{f.ms(p95)}</span> : <b class={tone}>{f.ms(p95)}</b>}
    </span>
  );
}

/** A run is known once its process has written it: by default within a second, on a busy machine within some. */
const WRITTEN_S = 10;

function Last({ row: { last, schedule }, written }: { row: JobRow; written: number | null }) {
  if (last === null) return <span class="faint">{f.NONE}</span>;
  const overdue = schedule !== null && written !== null && written - last > 1.5 * schedule.every_s + WRITTEN_S;
  return (
    <span class="lastrun">
      <span>
        <time dateTime={new Date(last * 1000).toISOString()} title={f.exact(last)} class="soft">
          {f.ago(last)}
        </time>
        {overdue && (
          <b
            class="warn"
            data-tip={`When the store was last written, it had not run for more than one and a half of its gaps and the ${WRITTEN_S} s that writing a run may take.`}
          >
            , overdue
          </b>
        )}
        {schedule && schedule.missed > 0 && (
          <b class="warn" data-tip="Runs that would have come at this rhythm and did not">
            , {schedule.missed} missed
          </b>
        )}
      </span>
      {schedule && (
        <span
          class="faint"
          data-tip={`Median of ${f.plural(schedule.gaps, 'gap')} between runs; 95 of 100 are at most ${f.ms(schedule.drift_ms)} off it.`}
        >
          every {f.lasted(schedule.every_s)} ± {f.ms(schedule.drift_ms)}
        </span>
      )}
    </span>
  );
}
