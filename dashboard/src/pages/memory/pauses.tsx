/** Pauses of the garbage collector: how long, how often, the longest, and whose calls had to wait. */
import { useState } from 'preact/hooks';
import type { Collector, MemoryAnswer } from '../../api/memory.ts';
import { Bar } from '../../parts/bits.tsx';
import { Panel } from '../../parts/panel.tsx';
import { type Column, Table } from '../../parts/table.tsx';
import { useQuery } from '../../state/query.ts';
import * as f from '../../text/format.ts';

const FIRST = 10;

export function Pauses({ data: { gc } }: { data: MemoryAnswer }) {
  const query = useQuery();
  const hrefOf = (one: Collector) => query.link('endpoint', { name: one.name, kind: one.kind, service: one.service });
  const [all, showAll] = useState(false);
  const unseen = gc.longest !== null && gc.at_most_ms !== null && gc.at_most_ms > gc.longest.ms * 1.001;
  return (
    <Panel id="gc" title="Garbage collection" sub="pauses that calls had to wait for">
      <dl class="facts">
        <div>
          <dt data-tip="Sum of all pauses of all transactions in this range">In all</dt>
          <dd>{f.span(gc.total_ms)}</dd>
        </div>
        <div>
          <dt data-tip="Time in pauses ÷ time of all transactions">Of all time</dt>
          <dd>{f.percent(gc.of_all_time)}</dd>
        </div>
        <div>
          <dt data-tip="Transactions with at least one pause, of all; beyond the newest 200,000 of the range they are not counted">
            Calls that waited
          </dt>
          <dd>
            {f.whole(gc.paused)} of {f.whole(gc.calls)}
          </dd>
        </div>
        <div>
          <dt data-tip="Single pauses are only known of transactions kept with detail; those that waited longest were looked into">
            Pauses seen singly
          </dt>
          <dd>
            {f.whole(gc.pauses)} in {f.plural(gc.looked_into, 'call')}
          </dd>
        </div>
        <div>
          <dt
            data-tip={
              unseen
                ? `A call waited ${f.ms(gc.at_most_ms)} in all, and whether in one pause is not known of it or it had several: the longest is at most that.`
                : 'The longest single pause of those seen singly; no call waited longer altogether.'
            }
          >
            Longest
          </dt>
          <dd>
            {gc.longest ? (
              <a class="link" href={query.link('trace', { id: gc.longest.trace })}>
                {f.ms(gc.longest.ms)}, generation {gc.longest.generation}
              </a>
            ) : gc.at_most_ms !== null ? (
              `at most ${f.ms(gc.at_most_ms)}`
            ) : (
              f.NONE
            )}
          </dd>
        </div>
      </dl>
      {gc.endpoints.length ? (
        <Table
          label="Endpoints by time in pauses, arrow keys move, Enter opens"
          columns={columnsOf(gc.endpoints, hrefOf)}
          rows={all ? gc.endpoints : gc.endpoints.slice(0, FIRST)}
          keyOf={(one) => `${one.service} ${one.kind} ${one.name}`}
          hrefOf={hrefOf}
          height={34}
        />
      ) : (
        <p class="empty-line">No call of this range had to wait for the collector.</p>
      )}
      {gc.endpoints.length > FIRST && !all && (
        <p class="more">
          <button type="button" class="button" onClick={() => showAll(true)}>
            All {f.whole(gc.endpoints.length)} endpoints
          </button>
        </p>
      )}
      <p class="hint">{f.tame(gc.method, 500)}</p>
    </Panel>
  );
}

function columnsOf(rows: Collector[], hrefOf: (one: Collector) => string): Column<Collector>[] {
  const most = Math.max(...rows.map((one) => one.share), 1e-9);
  const services = new Set(rows.map((one) => one.service)).size > 1;
  return [
    {
      id: 'name',
      title: 'Endpoint',
      wide: true,
      cell: (one) => (
        <span class="names">
          <a class="route" href={hrefOf(one)} title={f.tame(one.name)} dir="ltr">
            {f.tame(one.name)}
          </a>
          {services && <span class="faint">{f.tame(one.service, 40)}</span>}
        </span>
      ),
    },
    {
      id: 'total',
      title: 'In pauses',
      tip: 'Sum of the pauses of its calls',
      cell: (one) => <Bar share={one.share / most} text={f.ms(one.total_ms)} tone="k-gc" />,
    },
    {
      id: 'share',
      title: 'Of its time',
      tip: 'Time in pauses ÷ time of its calls',
      right: true,
      cell: (one) => f.percent(one.of_its_time),
    },
    {
      id: 'paused',
      title: 'Calls that waited',
      right: true,
      cell: (one) => `${f.whole(one.paused)} of ${f.whole(one.calls)}`,
    },
    {
      id: 'each',
      title: 'Pauses a call',
      tip: 'Pauses ÷ calls, of those that were looked into singly',
      right: true,
      cell: (one) =>
        one.looked_into ? (
          <span data-tip={`${f.plural(one.pauses, 'pause')} in ${f.plural(one.looked_into, 'call')}`}>
            {f.mean(one.pauses / one.looked_into)}
          </span>
        ) : (
          <span class="faint">{f.NONE}</span>
        ),
    },
    {
      id: 'most',
      title: 'Most in a call',
      tip: 'The most one call waited in pauses altogether',
      right: true,
      cell: (one) => f.ms(one.most_ms),
    },
  ];
}
