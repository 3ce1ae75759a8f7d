/** Resident memory of each worker over time, with the workers beside it in words. */
import { useState } from 'preact/hooks';
import type { MemoryAnswer, Worker } from '../../api/memory.ts';
import { Bar, Moment } from '../../parts/bits.tsx';
import { later } from '../../parts/later.tsx';
import { Panel } from '../../parts/panel.tsx';
import { type Column, type Order, Table, sorted } from '../../parts/table.tsx';
import * as f from '../../text/format.ts';
import { HEIGHT, keyOf, restartText } from './marks.ts';

/** What draws it is the heaviest part of the page. */
const Lines = later(() => import('./lines.tsx'), HEIGHT);

const FIRST = 10;

export function Workers({ data }: { data: MemoryAnswer }) {
  const [chosen, choose] = useState<string | null>(null);
  const known = data.workers.filter((one) => one.sizes_kb.some((size) => size !== null));
  return (
    <Panel
      id="workers"
      title="Resident memory by worker"
      sub={`as each had it at the end of its last transaction every ${f.lasted(data.step)}`}
      tools={<Legend data={data} />}
    >
      {known.length ? (
        <Lines data={data} chosen={chosen} label={summary(data, known)} />
      ) : (
        <p class="empty-line">
          No worker could tell its size in this range: no transaction ended in it, or memory is off or cannot be read on this
          system.
        </p>
      )}
      <List data={data} chosen={chosen} choose={choose} />
      {data.restarts.length > 0 && (
        <details class="block">
          <summary>
            {f.plural(data.restarts.length, 'worker')} that began in this range, {f.plural(data.releases.length, 'release')}
          </summary>
          <ul class="plain num">
            {data.restarts.map((one) => (
              <li key={`${one.host} ${one.pid} ${one.t}`}>{restartText(one)}</li>
            ))}
            {data.releases.map((one) => (
              <li key={`${one.service} ${one.version}`}>
                {f.clock(one.t, true)} · release {f.tame(one.version, 60)} of {f.tame(one.service, 60)} came
              </li>
            ))}
          </ul>
        </details>
      )}
    </Panel>
  );
}

function Legend({ data }: { data: MemoryAnswer }) {
  return (
    <span class="legend">
      <span>
        <i class="line worker" />a worker
      </span>
      {data.workers.some((one) => one.silent) && (
        <span>
          <i class="line worker p95" />
          not heard of lately
        </span>
      )}
      {data.restarts.some((one) => one.why === 'restart') && (
        <span>
          <i class="symbol warn" aria-hidden="true">
            ▲
          </i>
          restart
        </span>
      )}
      {data.restarts.some((one) => one.why !== 'restart') && (
        <span>
          <i class="symbol" aria-hidden="true">
            △
          </i>
          start, or new release
        </span>
      )}
    </span>
  );
}

function summary(data: MemoryAnswer, known: Worker[]): string {
  const largest = known[0]!;
  const again = data.restarts.filter((one) => one.why === 'restart').length;
  return `Resident memory of ${f.plural(known.length, 'worker')} over time. The largest, pid ${largest.pid}, had up to ${f.kb(largest.peak_kb)}. ${f.plural(again, 'restart')}, ${f.plural(data.releases.length, 'release')}.`;
}

const atWorkFirst = (a: Worker, b: Worker): number => Number(a.silent) - Number(b.silent) || (b.rss_kb ?? -1) - (a.rss_kb ?? -1);

function List({ data, chosen, choose }: { data: MemoryAnswer; chosen: string | null; choose: (key: string | null) => void }) {
  const [order, sort] = useState<Order | null>(null);
  const [all, showAll] = useState(false);
  const most = Math.max(...data.workers.map((one) => one.peak_kb ?? 0), 1e-9);
  const columns: Column<Worker>[] = [
    {
      id: 'pid',
      title: 'Worker',
      wide: true,
      ascending: true,
      value: (one) => one.pid,
      cell: (one) => (
        <span class="names">
          <button
            type="button"
            class="quiet mono"
            aria-pressed={keyOf(one) === chosen}
            data-tip="Marks its line above"
            onClick={() => choose(keyOf(one) === chosen ? null : keyOf(one))}
          >
            pid {one.pid}
          </button>
          <span class="soft">{f.tame(one.service, 60)}</span>
          <span class="faint">{f.tame(one.host, 60)}</span>
          {one.silent && (
            <span
              class="flag"
              data-tip={`Last heard of ${f.ago(one.last_seen)}, while others were: it has ended or has nothing to do.`}
            >
              silent
            </span>
          )}
        </span>
      ),
    },
    {
      id: 'rss',
      title: 'Resident',
      tip: 'At the end of its last transaction in this range; paler: the most it had at the end of a step',
      value: (one) => one.rss_kb,
      cell: (one) => <Bar share={(one.rss_kb ?? 0) / most} within={(one.peak_kb ?? 0) / most} text={f.kb(one.rss_kb)} />,
    },
    {
      id: 'peak',
      title: 'Most',
      tip: 'The most it had at the end of a step',
      right: true,
      value: (one) => one.peak_kb,
      cell: (one) => f.kb(one.peak_kb),
    },
    {
      id: 'growth',
      title: 'Grew',
      tip: 'Median of its last 10 sizes minus median of the first 10 after its warm-up (a tenth of its calls), of calls that had it to themselves; needs 20',
      right: true,
      value: (one) => one.growth_kb,
      cell: (one) => f.kb(one.growth_kb, true),
    },
    {
      id: 'release',
      title: 'Release',
      cell: (one) => <span class="mono soft">{one.release ? f.tame(one.release, 24) : f.NONE}</span>,
    },
    { id: 'began', title: 'Began', right: true, value: (one) => one.started, cell: (one) => <Moment at={one.started} /> },
    {
      id: 'heard',
      title: 'Last heard of',
      right: true,
      value: (one) => one.last_seen,
      cell: (one) => <Moment at={one.last_seen} />,
    },
  ];
  const rows = order ? sorted(data.workers, columns, order) : [...data.workers].sort(atWorkFirst);
  const shown = all ? rows : rows.slice(0, FIRST);
  return (
    <>
      <Table label="Workers" columns={columns} rows={shown} keyOf={keyOf} height={34} order={order} sort={sort} />
      {(rows.length > shown.length || data.left_out > 0) && (
        <p class="more">
          {rows.length > shown.length && (
            <button type="button" class="button" onClick={() => showAll(true)}>
              All {f.whole(rows.length)} workers
            </button>
          )}
          {data.left_out > 0 && <span class="muted">{f.plural(data.left_out, 'smaller worker')} left out</span>}
        </p>
      )}
    </>
  );
}
