/** Spans as a tree on the time axis: repeats folded into one row with a tick a run, walked with the arrows. */
import type { TraceAnswer } from '../../api/trace.ts';
import { ticks } from '../../draw/scale.ts';
import { Icon } from '../../parts/icon.tsx';
import { useSlice } from '../../parts/virtual.ts';
import * as f from '../../text/format.ts';
import { kindClass } from '../../text/kinds.ts';
import { brief } from '../../text/sql.ts';
import type { Row } from './rows.ts';

const HEIGHT = 25;
const TICKS = 400;

interface Props {
  rows: Row[];
  length: number;
  marked: string;
  mark: (id: string) => void;
  turn: (id: string) => void;
  lost: TraceAnswer['lost'];
}

export function Waterfall({ rows, length, marked, mark, turn, lost }: Props) {
  const { host, slice, reveal } = useSlice(rows.length, HEIGHT);
  const at = Math.max(
    0,
    rows.findIndex((row) => row.id === marked),
  );
  const moveTo = (index: number) => {
    const row = rows[Math.max(0, Math.min(rows.length - 1, index))]!;
    mark(row.id);
    reveal(rows.indexOf(row));
    requestAnimationFrame(() => host.current?.querySelector<HTMLElement>('[aria-selected="true"]')?.focus());
  };
  const parentOf = (index: number) => rows.findLastIndex((row, i) => i < index && row.level < rows[index]!.level);
  const keys = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const row = rows[at]!;
    if (event.key === 'ArrowDown' || event.key === 'j') moveTo(at + 1);
    else if (event.key === 'ArrowUp' || event.key === 'k') moveTo(at - 1);
    else if (event.key === 'Home') moveTo(0);
    else if (event.key === 'End') moveTo(rows.length - 1);
    else if (event.key === 'ArrowRight') row.branches && !row.open ? turn(row.id) : moveTo(at + (row.branches ? 1 : 0));
    else if (event.key === 'ArrowLeft') row.branches && row.open ? turn(row.id) : moveTo(Math.max(0, parentOf(at)));
    else if (event.key === 'Enter' && row.branches) turn(row.id);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const grid = `${(100 * (ticks(length, 8)[1] ?? length)) / length}% 100%`;
  return (
    <>
      <div
        ref={(element) => {
          host.current = element;
        }}
        class="waterfall"
        role="treegrid"
        aria-label="Spans"
        aria-rowcount={rows.length}
        onKeyDown={keys}
      >
        {slice.above > 0 && <div style={{ height: `${slice.above}px` }} />}
        {rows.slice(slice.first, slice.last).map((row, i) => (
          <div
            key={row.id}
            class="track-row span-row"
            role="row"
            aria-level={row.level + 1}
            aria-rowindex={slice.first + i + 1}
            aria-expanded={row.branches ? row.open : undefined}
            aria-selected={row.id === marked}
            tabIndex={row.id === marked ? 0 : -1}
            onClick={() => mark(row.id)}
            onDblClick={() => row.branches && turn(row.id)}
          >
            <div class="track-name" role="gridcell" style={{ '--level': row.level }}>
              <span class="twist" onClick={() => row.branches && turn(row.id)}>
                {row.branches && <Icon name={row.open ? 'down' : 'right'} />}
              </span>
              <i class={`swatch ${kindClass(row.kind)}`} />
              {row.members.length > 0 && <span class="times">×{row.members.length}</span>}
              <span class={`text ${row.kind === 'db' || row.level === 0 ? 'mono' : ''}`} dir="ltr">
                {f.tame(row.kind === 'db' ? brief(row.name) : row.name, 200)}
              </span>
              {row.span?.open && (
                <span class="flag warn" data-tip="It had not ended when the transaction did.">
                  not closed
                </span>
              )}
            </div>
            <div class="lane" role="gridcell" style={{ backgroundSize: grid }}>
              <Marks row={row} length={length} />
            </div>
          </div>
        ))}
        {slice.below > 0 && <div style={{ height: `${slice.below}px` }} />}
      </div>
      {lost.length > 0 && <Lost lost={lost} />}
    </>
  );
}

function Marks({ row, length }: { row: Row; length: number }) {
  const x = (value: number) => (100 * value) / length;
  const end = x(row.endMs);
  const colour = kindClass(row.kind);
  return (
    <>
      {row.members.length > 0 ? (
        thinned(row).map((span) => (
          <i
            key={span.id}
            class={`tick ${colour}`}
            style={{ left: `${x(span.start_ms)}%`, width: `${Math.max(0.14, x(span.duration_ms))}%` }}
          />
        ))
      ) : (
        <i
          class={`bar ${colour} ${row.branches ? 'parent' : ''} ${row.span?.open ? 'hatched' : ''}`}
          style={{ left: `${x(row.startMs)}%`, width: `${x(row.durationMs)}%` }}
        />
      )}
      <span
        class={`label ${end > 88 ? 'before' : ''}`}
        style={
          end > 88 && x(row.startMs) > 14 && row.level > 0
            ? { right: `calc(${100 - x(row.startMs)}% + 6px)` }
            : { left: `calc(${Math.min(end, 100)}% + 6px)` }
        }
      >
        {f.ms(row.durationMs)}
      </span>
    </>
  );
}

/** More ticks than pixels say nothing: every n-th then stands for its neighbours. */
function thinned({ members }: Row): Row['members'] {
  const step = Math.ceil(members.length / TICKS);
  return step > 1 ? members.filter((_, i) => i % step === 0) : members;
}

function Lost({ lost }: { lost: TraceAnswer['lost'] }) {
  return (
    <div class="lost">
      {lost.map((one, i) => (
        <div key={i} class="track-row span-row">
          <div class="track-name">
            <span class="twist" />
            <i class={`swatch ${kindClass(one.kind)}`} />
            <span class="times">×{f.whole(one.count)}</span>
            <span class="text">{f.tame(one.name, 200)}</span>
          </div>
          <div class="lane">
            <i class="bar hatched gap" />
            <span class="label over">
              {f.ms(one.total_ms)} in {f.plural(one.count, 'span')} past the limit: counted, their times not kept
            </span>
          </div>
        </div>
      ))}
    </div>
  );
}
