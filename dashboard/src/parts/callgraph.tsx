/** Functions as cProfile counted them: by time, and for the chosen one who called it and whom it called. */
import { useMemo, useState } from 'preact/hooks';
import type { CalledFunction, Calls } from '../api/memory.ts';
import * as f from '../text/format.ts';
import { Bar } from './bits.tsx';
import { type Column, type Order, Table, sorted } from './table.tsx';

const FIRST = 12;
const MOST_NEAR = 8;

interface Row extends CalledFunction {
  at: number;
}

export function Callgraph({ graph }: { graph: Calls }) {
  const [order, sort] = useState<Order>({ column: 'own', descending: true });
  const [all, showAll] = useState(false);
  const rows = useMemo(() => graph.functions.map((one, at) => ({ ...one, at })), [graph]);
  const heaviest = rows.filter((row) => row.category === 'app').sort((a, b) => b.total_ms - a.total_ms)[0] ?? rows[0];
  const [picked, pick] = useState<number | null>(null);
  const chosen = rows[picked ?? heaviest?.at ?? 0];
  const most = Math.max(...rows.map((row) => row.own_ms), 1e-9);
  const columns: Column<Row>[] = [
    {
      id: 'function',
      title: 'Function',
      wide: true,
      ascending: true,
      value: (row) => row.function,
      cell: (row) => (
        <button
          type="button"
          class="quiet mono cut"
          aria-pressed={row.at === chosen?.at}
          title={`${f.tame(row.file)}:${row.line}`}
          onClick={() => pick(row.at)}
        >
          <Named one={row} />
        </button>
      ),
    },
    { id: 'calls', title: 'Calls', right: true, value: (row) => row.calls, cell: (row) => f.whole(row.calls) },
    {
      id: 'own',
      title: 'Own time',
      tip: 'Time inside the function, without what it called, over all measured calls; inflated by the measuring itself',
      value: (row) => row.own_ms,
      cell: (row) => (
        <Bar share={row.own_ms / most} text={f.ms(row.own_ms)} tone={row.category === 'app' ? 'k-python' : 'k-wait'} />
      ),
    },
    {
      id: 'total',
      title: 'Cumulative',
      tip: 'With everything it called; recursion counts once',
      right: true,
      value: (row) => row.total_ms,
      cell: (row) => f.ms(row.total_ms),
    },
  ];
  const ordered = sorted(rows, columns, order);
  const shown = all ? ordered : ordered.slice(0, FIRST);
  return (
    <>
      <div class="columns walked">
        <div>
          <Table
            label="Functions by time, press one for its callers and callees"
            columns={columns}
            rows={shown}
            keyOf={(row) => String(row.at)}
            height={30}
            order={order}
            sort={sort}
          />
          {ordered.length > shown.length && (
            <p class="more">
              <button type="button" class="button" onClick={() => showAll(true)}>
                All {f.whole(ordered.length)} functions
              </button>
            </p>
          )}
        </div>
        {chosen && <Around graph={graph} at={chosen.at} one={chosen} pick={pick} />}
      </div>
      <p class="hint">
        {f.tame(graph.note, 300)}
        {graph.left_out > 0 && `. ${f.plural(graph.left_out, 'small function')} left out.`}
      </p>
    </>
  );
}

function Named({ one }: { one: CalledFunction }) {
  return (
    <>
      <span class={one.category === 'app' ? 'own' : ''}>{f.tame(one.function, 100)}</span>{' '}
      <span class="faint">{one.file ? `${f.shortPath(one.file)}:${one.line}` : 'built in'}</span>
    </>
  );
}

/** One function between its callers and its callees. */
function Around({ graph, at, one, pick }: { graph: Calls; at: number; one: CalledFunction; pick: (at: number) => void }) {
  const callers = graph.calls.filter(([, callee]) => callee === at).map((call) => ({ other: call[0], call }));
  const callees = graph.calls.filter(([caller]) => caller === at).map((call) => ({ other: call[1], call }));
  return (
    <section class="around" aria-label={`Callers and callees of ${f.tame(one.function, 100)}`}>
      <Near
        title="Called by"
        none="Nobody that was measured: it is where measuring began."
        graph={graph}
        near={callers}
        pick={pick}
      />
      <p class="middle">
        <b class="mono">
          <Named one={one} />
        </b>
        <span class="muted num">
          {f.plural(one.calls, 'call')}, {f.ms(one.own_ms)} own, {f.ms(one.total_ms)} with what it called
        </span>
      </p>
      <Near title="Calls" none="Nothing that was measured." graph={graph} near={callees} pick={pick} />
    </section>
  );
}

function Near({
  title,
  none,
  graph,
  near,
  pick,
}: {
  title: string;
  none: string;
  graph: Calls;
  near: { other: number; call: Calls['calls'][number] }[];
  pick: (at: number) => void;
}) {
  const ranked = [...near].sort((a, b) => b.call[4] - a.call[4]);
  const most = Math.max(...ranked.map(({ call }) => call[4]), 1e-9);
  return (
    <div>
      <h3>
        {title} <span class="faint num">{f.whole(near.length)}</span>
      </h3>
      {ranked.length ? (
        <ul class="near">
          {ranked.slice(0, MOST_NEAR).map(({ other, call }) => (
            <li key={other}>
              <button type="button" class="quiet mono cut" onClick={() => pick(other)}>
                <Named one={graph.functions[other]!} />
              </button>
              <span data-tip={`${f.plural(call[2], 'call')} of this pair: own ${f.ms(call[3])}, cumulative ${f.ms(call[4])}`}>
                <Bar share={call[4] / most} text={f.ms(call[4])} tone="k-python" />
              </span>
            </li>
          ))}
        </ul>
      ) : (
        <p class="muted">{none}</p>
      )}
      {ranked.length > MOST_NEAR && <p class="faint">and {f.plural(ranked.length - MOST_NEAR, 'other')} of less time</p>}
    </div>
  );
}
