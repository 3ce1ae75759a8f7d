/** The rows of what is in flight: how old for its kind, where, and what it does now. */
import type { Flight, Stacked } from '../../api/live.ts';
import type { Frame } from '../../api/types.ts';
import { placeOf } from '../../draw/trees.ts';
import { Bar } from '../../parts/bits.tsx';
import type { Column } from '../../parts/table.tsx';
import type { Query } from '../../state/query.ts';
import * as f from '../../text/format.ts';
import { kindClass } from '../../text/kinds.ts';

const STATES: Record<string, [word: string, tip: string]> = {
  running: ['running', 'It used the processor since the last look'],
  waiting: ['waiting', 'It used next to no processor since the last look, and no span says for what it waits'],
  db: ['SQL', 'In a database call'],
  http: ['HTTP', 'In an outgoing HTTP call'],
  template: ['template', 'Rendering a template'],
  cache: ['cache', 'In a cache call'],
  wait: ['waiting for a lock', 'Waiting for a lock, a connection or the event loop'],
};

/** The innermost frame of your own code, else the innermost of all. */
export const ownFrame = ({ stack }: Stacked): Frame | undefined =>
  stack.findLast((frame) => frame.category === 'app') ?? stack.at(-1);

export const whereabouts = ({ thread, task }: Stacked): string =>
  [thread, task && `task ${task}`]
    .filter(Boolean)
    .map((text) => f.tame(text!, 60))
    .join(' · ');

export function State({ row }: { row: Flight }) {
  const [word, tip] = STATES[row.state] ?? [f.tame(row.state, 20), ''];
  const kind = row.state === 'running' ? 'python' : row.state === 'waiting' ? 'wait' : row.state;
  return (
    <span class="state" data-tip={tip}>
      <i class={`swatch ${kindClass(kind)}`} />
      {word}
      {row.span && (
        <span class="faint">
          {' '}
          {f.tame(row.span.name, 60)} {f.ms(row.span.age_ms)}
        </span>
      )}
    </span>
  );
}

function Age({ row }: { row: Flight }) {
  const { age_ms: age, p95_ms: p95 } = row;
  if (p95 === null)
    return (
      <span data-tip="How long it runs. No bar: under 20 calls of it ended in a day, too few for a p95.">
        <Bar share={0} text={f.ms(age)} />
      </span>
    );
  const late = age > p95;
  return (
    <span
      class={late ? 'late' : ''}
      data-tip={`${f.ms(age)} of a p95 of ${f.ms(p95)}: ${late ? `${(age / p95).toFixed(1)} times as long as 95 of 100 calls of the last 24 h` : 'the bar is full at the p95 of the last 24 h'}`}
    >
      <Bar share={age / p95} text={`${f.ms(age)}${late ? ' !' : ''}`} tone={late ? 'k-gc' : 'k-python'} />
    </span>
  );
}

export function flightColumns(query: Query, open: string): Column<Flight>[] {
  return [
    {
      id: 'name',
      title: 'Endpoint',
      cell: (row) => (
        <span class="twoline flight">
          <span class={row.id === open ? 'own' : ''}>
            <a class="route" href={query.link('live', { open: row.id })} aria-expanded={row.id === open}>
              {f.tame(row.name, 90) || '(no name yet)'}
            </a>
          </span>
          <span class="faint">{row.path && !row.name.endsWith(row.path) ? f.tame(row.path, 90) : f.tame(row.service, 60)}</span>
        </span>
      ),
    },
    {
      id: 'age',
      title: 'Age',
      tip: 'Since it began; the bar is full at the p95 of its endpoint over 24 h',
      cell: (row) => <Age row={row} />,
    },
    {
      id: 'frame',
      title: 'Now in',
      tip: 'The innermost frame of your own code, at the last look',
      wide: true,
      cell: (row) => <Own row={row} />,
    },
    { id: 'state', title: 'State', cell: (row) => <State row={row} /> },
    {
      id: 'where',
      title: 'Worker',
      cell: (row) => (
        <span class="twoline flight">
          <span class="mono num">
            {f.tame(row.host, 40)}:{row.pid}
          </span>
          <span class="faint">
            {whereabouts(row) || f.NONE}
            {row.also.length > 0 && ` and ${f.whole(row.also.length)} more`}
          </span>
        </span>
      ),
    },
  ];
}

function Own({ row }: { row: Flight }) {
  const frame = ownFrame(row);
  if (!frame) return <span class="faint">no stack was seen</span>;
  return (
    <span class="mono cut" title={`${f.tame(frame.file)}:${frame.line}`}>
      <span class={frame.category === 'app' ? 'own' : ''}>{f.tame(frame.function, 80)}</span>{' '}
      <span class="faint">{placeOf(frame.file, frame.line)}</span>
    </span>
  );
}
