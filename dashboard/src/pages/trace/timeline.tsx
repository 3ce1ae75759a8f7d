/** The timeline: samples, memory and spans on one axis, and what is marked beside them. */
import { useMemo, useState } from 'preact/hooks';
import type { TraceAnswer } from '../../api/trace.ts';
import { ticks } from '../../draw/scale.ts';
import { KindLegend } from '../../parts/bits.tsx';
import { Panel } from '../../parts/panel.tsx';
import * as f from '../../text/format.ts';
import { KINDS } from '../../text/kinds.ts';
import { Detail } from './detail.tsx';
import { MemoryLane, SampleLane } from './lanes.tsx';
import { firstChoice, rowsOf } from './rows.ts';
import { Waterfall } from './waterfall.tsx';

export function Timeline({ data }: { data: TraceAnswer }) {
  const { trace, spans, samples, sampled } = data;
  const [turned, setTurned] = useState<ReadonlySet<string>>(new Set());
  const rows = useMemo(() => rowsOf(spans, { name: trace.name, durationMs: trace.duration_ms }, turned), [data, turned]);
  const [marked, mark] = useState(() => firstChoice(rows));
  const row = rows.find(({ id }) => id === marked) ?? rows[0]!;
  const length = useMemo(() => axisLength(data), [data]);
  const turn = (id: string) =>
    setTurned((old) => {
      const next = new Set(old);
      if (!next.delete(id)) next.add(id);
      return next;
    });
  const kinds = KINDS.filter((kind) => (trace.kinds[kind] ?? 0) > 0 || spans.some((span) => span.kind === kind));
  const every = sampled ? ` (every ${f.ms(sampled.interval_ms)})` : '';
  return (
    <Panel
      id="timeline"
      title="Timeline"
      sub={`${f.plural(spans.length, 'span')}, ${f.plural(samples.length, 'stack sample')}${samples.length ? every : ''}`}
      tools={<KindLegend kinds={kinds} />}
    >
      <div class="timeline">
        <div class="tracks">
          <Ruler length={length} />
          <SampleLane data={data} length={length} />
          <MemoryLane data={data} length={length} />
          <Waterfall rows={rows} length={length} marked={row.id} mark={mark} turn={turn} lost={data.lost} />
        </div>
        <Detail row={row} data={data} />
      </div>
    </Panel>
  );
}

/** Work may go on after the answer: the axis reaches to the last thing on it. */
function axisLength({ trace, spans, samples }: TraceAnswer): number {
  const last = spans.reduce((end, span) => Math.max(end, span.start_ms + span.duration_ms), samples.at(-1)?.t_ms ?? 0);
  return Math.max(trace.duration_ms, last, 0.001);
}

function Ruler({ length }: { length: number }) {
  return (
    <div class="track-row ruler-row">
      <div class="track-name muted">Span</div>
      <div class="ruler" aria-hidden="true">
        {ticks(length, 8).map((tick, i) => (
          <span key={tick} class={i % 2 ? 'odd' : ''} style={{ left: `${(100 * tick) / length}%` }}>
            {tick ? f.ms(tick) : '0'}
          </span>
        ))}
      </div>
    </div>
  );
}
