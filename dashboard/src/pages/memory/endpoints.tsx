/** Endpoints by the memory their calls keep, with how sure that is. */
import { useState } from 'preact/hooks';
import type { Grower, MemoryAnswer, Verdict } from '../../api/memory.ts';
import { Bar, Name } from '../../parts/bits.tsx';
import { Panel, Segments } from '../../parts/panel.tsx';
import { type Column, type Order, Table, sorted } from '../../parts/table.tsx';
import { useQuery } from '../../state/query.ts';
import * as f from '../../text/format.ts';

const ORDERS = [
  { id: 'leaks', title: 'Leaks first', tip: 'By verdict, then by growth in 1,000 calls' },
  { id: 'p50', title: 'Most a call', tip: 'Median kept by a call' },
  { id: 'p95', title: 'Worst calls', tip: 'p95 kept by a call' },
  { id: 'total', title: 'Most in all', tip: 'Sum kept by all calls that were measured alone' },
];
const VERDICTS: Record<Verdict, { tone: string; tip: string }> = {
  leaks: { tone: 'bad', tip: 'Its calls keep memory, that is hardly chance, and it is still there in the workers.' },
  returned: { tone: '', tip: 'Its calls keep memory as they end, but the workers give it back between calls: no leak.' },
  steady: { tone: 'good', tip: 'It keeps nothing on average, or less than 64 KB in 1,000 calls.' },
  'too few': { tone: '', tip: 'Fewer than 10 batches of 5 calls measured alone after the warm-up: nothing can be said.' },
};
const LEFT_OUT = 6;
const FIRST = 20;

/** The method an endpoint's name begins with, and its route. */
function parts(name: string): { method: string | null; route: string | null } {
  const found = /^([A-Z]+) (.+)$/.exec(name);
  return { method: found?.[1] ?? null, route: found?.[2] ?? null };
}

export function Endpoints({ data }: { data: MemoryAnswer }) {
  const query = useQuery();
  const chosen = query.get('sort') || 'leaks';
  const order: Order | null = chosen === 'leaks' ? null : { column: chosen, descending: query.get('desc') !== '0' };
  const [all, showAll] = useState(false);
  const ranked = data.endpoints.filter((one) => one.exclusive > 0);
  const left = data.endpoints.filter((one) => !one.exclusive).sort((a, b) => b.overlapped - a.overlapped);
  const hrefOf = (one: Grower) => query.link('endpoint', { name: one.name, kind: one.kind, service: one.service });
  const columns = columnsOf(ranked, hrefOf, (one) => {
    query.set({ focus: one.name }, { replace: true });
    document.getElementById('capture')?.scrollIntoView({ block: 'start' });
    document.getElementById('capture-endpoint')?.focus({ preventScroll: true });
  });
  const rows = order ? sorted(ranked, columns, order) : ranked;
  return (
    <Panel id="endpoints" title="Memory kept by endpoint" sub="of calls that had their process to themselves, without warm-up">
      <div class="toolbar">
        <Segments
          label="Order"
          order
          options={ORDERS}
          current={ORDERS.some((one) => one.id === chosen) ? chosen : null}
          select={(sort) => query.set({ sort: sort === 'leaks' ? null : sort, desc: null }, { replace: true })}
        />
      </div>
      {ranked.length ? (
        <Table
          label="Endpoints by memory kept, arrow keys move, Enter opens"
          columns={columns}
          rows={all ? rows : rows.slice(0, FIRST)}
          keyOf={(one) => `${one.service} ${one.kind} ${one.name}`}
          hrefOf={hrefOf}
          height={46}
          order={order}
          sort={(next) => query.set({ sort: next.column, desc: next.descending ? null : '0' }, { replace: true })}
        />
      ) : (
        <p class="empty-line">
          {data.total.calls
            ? 'No call had its process to itself, so none can be charged with memory: memory belongs to a process. A worker with one thread measures each of its calls alone.'
            : 'No transaction of this range knows the size of its process.'}
        </p>
      )}
      {rows.length > FIRST && !all && (
        <p class="more">
          <button type="button" class="button" onClick={() => showAll(true)}>
            All {f.whole(rows.length)} endpoints
          </button>
        </p>
      )}
      {left.length > 0 && (
        <p class="hint left-out">
          Left out, because others always ran at the same time:{' '}
          {left.slice(0, LEFT_OUT).map((one, i) => (
            <span key={`${one.service} ${one.name}`}>
              {i > 0 && ', '}
              <a class="link mono" href={hrefOf(one)}>
                {f.tame(one.name, 80)}
              </a>{' '}
              ({f.plural(one.overlapped, 'call')})
            </span>
          ))}
          {left.length > LEFT_OUT && ` and ${f.plural(left.length - LEFT_OUT, 'other')}`}.
        </p>
      )}
      {data.total.endpoint_count > data.endpoints.length && (
        <p class="hint">
          {f.whole(data.endpoints.length)} of {f.whole(data.total.endpoint_count)} endpoints, those that grow most.
        </p>
      )}
      <p class="hint">{f.tame(data.method, 900)}</p>
    </Panel>
  );
}

function columnsOf(rows: Grower[], hrefOf: (one: Grower) => string, look: (one: Grower) => void): Column<Grower>[] {
  const most = Math.max(...rows.map((one) => Math.abs(one.total_kb ?? 0)), 1e-9);
  const services = new Set(rows.map((one) => one.service)).size > 1;
  const thin = (one: Grower, text: string) =>
    one.counted < f.THIN ? (
      <span
        class="thin"
        data-tip={`Only ${f.plural(one.counted, 'call')} measured alone after the warm-up: under ${f.THIN} this says little.`}
      >
        {text}
      </span>
    ) : (
      text
    );
  return [
    {
      id: 'name',
      title: 'Endpoint',
      wide: true,
      ascending: true,
      value: (one) => one.name,
      cell: (one) => (
        <span class="names">
          <Name {...parts(one.name)} name={one.name} href={hrefOf(one)} />
          {services && <span class="faint">{f.tame(one.service, 40)}</span>}
          <span class={`flag ${VERDICTS[one.verdict].tone}`} data-tip={VERDICTS[one.verdict].tip}>
            {one.verdict}
          </span>
        </span>
      ),
    },
    {
      id: 'slope',
      title: 'In 1,000 calls',
      tip: 'Mean kept by a call × 1,000; below it the 95% interval from means of batches (Student)',
      right: true,
      value: (one) => one.slope_kb,
      cell: (one) => (
        <span class="twoline">
          <b>{thin(one, f.kb(one.slope_kb, true))}</b>
          {one.slope_low_kb !== null && (
            <span class="faint">
              {f.kb(one.slope_low_kb, true)} to {f.kb(one.slope_high_kb, true)}
            </span>
          )}
        </span>
      ),
    },
    {
      id: 'p50',
      title: 'Median a call',
      tip: 'Resident memory after minus before: half of the calls kept less',
      right: true,
      value: (one) => one.p50_kb,
      cell: (one) => thin(one, f.kb(one.p50_kb, true)),
    },
    {
      id: 'p95',
      title: 'p95 a call',
      tip: 'Resident memory after minus before: 95 of 100 calls kept less',
      right: true,
      value: (one) => one.p95_kb,
      cell: (one) => thin(one, f.kb(one.p95_kb, true)),
    },
    {
      id: 'total',
      title: 'In all',
      tip: 'Sum over the calls that were measured alone; overlapped calls and warm-up are not in it',
      value: (one) => one.total_kb,
      cell: (one) => (
        <Bar
          share={Math.max(0, one.total_kb ?? 0) / most}
          text={f.kb(one.total_kb, true)}
          tone={one.verdict === 'leaks' ? 'k-gc' : 'k-wait'}
        />
      ),
    },
    {
      id: 'chance',
      title: 'By chance',
      tip: 'The chance that it keeps nothing on average: t-test on means of batches, corrected for the number of endpoints (Holm)',
      right: true,
      value: (one) => one.p_value,
      cell: (one) => (one.p_value === null ? f.NONE : one.p_value < 0.001 ? '<0.1%' : f.percent(one.p_value)),
    },
    {
      id: 'alone',
      title: 'Measured alone',
      tip: 'Calls with the process to themselves, of all with a size before and after. The others are left out of the figures here.',
      right: true,
      value: (one) => one.exclusive / (one.exclusive + one.overlapped),
      cell: (one) => (
        <span class="twoline">
          <span>{f.percent(one.exclusive / (one.exclusive + one.overlapped), 0)}</span>
          <span class="faint">
            {f.whole(one.exclusive)} of {f.whole(one.exclusive + one.overlapped)}
          </span>
        </span>
      ),
    },
    {
      id: 'look',
      title: 'Capture',
      tip: 'Measure its next calls line by line, below',
      right: true,
      cell: (one) => (
        <button type="button" class="button" aria-label={`Measure ${f.tame(one.name, 80)}`} onClick={() => look(one)}>
          Measure
        </button>
      ),
    },
  ];
}
