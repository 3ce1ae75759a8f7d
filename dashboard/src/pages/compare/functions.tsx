/** Where the difference is: a flame graph of both profiles, and its functions by change. */
import { useMemo, useState } from 'preact/hooks';
import type { CompareAnswer, FunctionPair } from '../../api/compare.ts';
import { type Measure, differenceTree } from '../../draw/difference.ts';
import { Flame } from '../../draw/flame.tsx';
import { placeOf } from '../../draw/trees.ts';
import { Diverging, Signed } from '../../parts/delta.tsx';
import { Panel, Segments } from '../../parts/panel.tsx';
import { type Column, Table } from '../../parts/table.tsx';
import { useQuery } from '../../state/query.ts';
import * as f from '../../text/format.ts';

const FIRST = 12;
const MEASURES = [
  { id: 'own' as const, title: 'Own time', tip: 'Time in the function itself: its callers keep their colour' },
  { id: 'total' as const, title: 'Total', tip: 'Time in the function and all it calls' },
];
const SURE = 3;

export function Functions({ data }: { data: CompareAnswer }) {
  const query = useQuery();
  const by: Measure = query.get('view') === 'total' ? 'total' : 'own';
  const choose = (view: Measure) => query.set({ view: view === 'own' ? null : view }, { replace: true });
  const { flame } = data;
  const tree = useMemo(() => differenceTree(flame, by), [flame, by]);
  const gone = useMemo(() => vanished(data), [data]);
  const both = shared(data);
  const known = flame.samples.before > 0 && flame.samples.after > 0;
  return (
    <>
      <Panel
        id="difference"
        title="Where the difference is"
        sub={`width: time per call after; colour: change against before, both scaled to one call${known ? `; ${f.plural(flame.samples.before, 'sample')} before, ${f.whole(flame.samples.after)} after` : ''}`}
        tools={<Segments label="Coloured by" options={MEASURES} current={by} select={choose} />}
      >
        {both && <p class="shared-note">{both}</p>}
        {known && tree.total[0] ? (
          <Flame
            tree={tree}
            note={gone > 0 ? `${f.ms(gone)} a call that ran only before has no width here; the table has it.` : ''}
            legend={<ChangeLegend />}
          />
        ) : (
          <p class="empty-line">{noSamples(data)}</p>
        )}
      </Panel>
      <Deltas data={data} by={by} />
    </>
  );
}

/** Samples are kept by ten minutes: of two short times next to each other they are partly the same ones. */
function shared({ a, b }: CompareAnswer): string {
  const same = a.endpoint?.name === b.endpoint?.name && a.release === b.release;
  if (!same || !a.profiled || !b.profiled) return '';
  const [from, to] = [Math.max(a.profiled.from, b.profiled.from), Math.min(a.profiled.to, b.profiled.to)];
  if (from >= to) return '';
  return `Samples are kept by ten minutes, older ones by the hour: both sides hold those from ${f.clock(from)} to ${f.clock(to)}, which takes from the difference. Longer times, or releases, tell more.`;
}

function noSamples({ flame: { samples }, a, b }: CompareAnswer): string {
  const [idle] = [!a.count && 'before', !b.count && 'after'].filter(Boolean);
  if (idle) return `There were no calls ${idle}.`;
  const none = [!samples.before && 'before', !samples.after && 'after'].filter(Boolean).join(' and ');
  const cause =
    a.trace || b.trace
      ? 'shorter than the interval, or not kept with detail'
      : 'every call was shorter than the interval, or sampling is off';
  return `No samples ${none}: ${cause}.`;
}

/** Milliseconds a call of branches that are not there any more. */
function vanished({ flame: { nodes } }: CompareAnswer): number {
  return nodes.parent.reduce(
    (sum, parent, i) =>
      nodes.after_ns[i] === 0 && parent >= 0 && nodes.after_ns[parent]! > 0 ? sum + nodes.before_ns[i]! / 1e6 : sum,
    0,
  );
}

function ChangeLegend() {
  return (
    <span class="legend">
      <span>
        <i class="swatch diff-up" />↑ slower
      </span>
      <span>
        <i class="swatch diff-flat" />
        same
      </span>
      <span>
        <i class="swatch diff-down" />↓ faster
      </span>
    </span>
  );
}

function Deltas({ data, by }: { data: CompareAnswer; by: Measure }) {
  const [all, showAll] = useState(false);
  // two traces are what they are: nothing is inferred from them, so ranking them claims nothing
  const two = Boolean(data.a.trace && data.b.trace);
  const rows = useMemo(() => ranked(data.functions, by, data.thin && !two), [data, by]);
  const most = Math.max(...rows.map((row) => Math.abs(row[`${by}_change_ms`])), 0);
  const sure = (row: FunctionPair) => two || Math.abs(row[`${by}_sureness`] ?? 0) >= SURE;
  const drawn = !data.thin || two;
  const { calls } = data.flame;
  const both = calls.before > 0 && calls.after > 0;
  const columns: Column<FunctionPair>[] = [
    { id: 'function', title: 'Function', wide: true, cell: (row) => <Where row={row} told={both} /> },
    {
      id: 'before',
      title: 'Before',
      tip: 'Samples × what each is worth ÷ calls before',
      right: true,
      cell: (row) => <span class="soft">{calls.before ? f.ms(row.before[`${by}_ms`]) : f.NONE}</span>,
    },
    {
      id: 'after',
      title: 'After',
      tip: 'Samples × what each is worth ÷ calls after',
      right: true,
      cell: (row) => (calls.after ? f.ms(row.after[`${by}_ms`]) : f.NONE),
    },
    {
      id: 'change',
      title: 'Change',
      tip: 'After − before, per call. Grey: less than 3 standard deviations from none, so it may be chance',
      right: true,
      cell: (row) => (
        <b>
          <Signed ms={both ? row[`${by}_change_ms`] : null} sure={drawn && sure(row)} />
        </b>
      ),
    },
    ...(drawn
      ? [
          {
            id: 'bar',
            title: 'less · more',
            cell: (row: FunctionPair) => <Diverging ms={row[`${by}_change_ms`]} most={most} sure={sure(row)} />,
          },
        ]
      : [
          {
            id: 'samples',
            title: 'Samples',
            tip: 'Before / after',
            right: true,
            cell: (row: FunctionPair) => `${f.whole(row.before[`${by}_samples`])} / ${f.whole(row.after[`${by}_samples`])}`,
          },
        ]),
  ];
  const title = by === 'own' ? 'Own time by function, per call' : 'Total time by function, per call';
  const sub = two
    ? 'most changed first; of these two traces alone'
    : data.thin
      ? 'by file and name: not ranked'
      : 'surest and largest change first';
  if (!rows.length) return null;
  return (
    <Panel id="functions" title={title} sub={sub}>
      <Table
        label={title}
        columns={columns}
        rows={all ? rows : rows.slice(0, FIRST)}
        keyOf={(row) => `${row.file} ${row.function}`}
        height={36}
      />
      {rows.length > FIRST && (
        <p class="more">
          <button type="button" class="button" aria-expanded={all} onClick={() => showAll(!all)}>
            {all ? `First ${FIRST}` : `All ${f.whole(rows.length)}`}
          </button>
        </p>
      )}
    </Panel>
  );
}

export function ranked(rows: FunctionPair[], by: Measure, asTheyCome: boolean): FunctionPair[] {
  const moved = rows.filter((row) => row[`${by}_change_ms`] !== 0);
  if (asTheyCome) return moved;
  const sure = (row: FunctionPair) => Number(Math.abs(row[`${by}_sureness`] ?? 0) >= SURE && row.significant);
  return moved.sort((a, b) => sure(b) - sure(a) || Math.abs(b[`${by}_change_ms`]) - Math.abs(a[`${by}_change_ms`]));
}

function Where({ row, told }: { row: FunctionPair; told: boolean }) {
  const fresh = !row.before.total_samples && !row.before.total_ms;
  const gone = !row.after.total_samples && !row.after.total_ms;
  return (
    <span class="mono cut" title={`${f.tame(row.file)}:${row.line}`}>
      <span class={row.category === 'app' ? 'own' : ''}>{f.tame(row.function, 80)}</span>{' '}
      <span class="faint">{placeOf(row.file, row.line)}</span>
      {told && (fresh || gone) && <span class="flag">{fresh ? 'only after' : 'only before'}</span>}
    </span>
  );
}
