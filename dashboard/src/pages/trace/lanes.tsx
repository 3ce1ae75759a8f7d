/** The lanes above the waterfall: what Python was doing, and resident memory with the collector's pauses. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { TraceAnswer } from '../../api/trace.ts';
import { colour, hatch, prepare } from '../../draw/palette.ts';
import { type LaneBox, laneBoxes, placeOf, plumbingDepth } from '../../draw/trees.ts';
import { theme } from '../../state/prefs.ts';
import { useSignal } from '../../state/signal.ts';
import * as f from '../../text/format.ts';

const ROW = 8;
const DEEPEST = 40;

export function SampleLane({ data, length }: { data: TraceAnswer; length: number }) {
  const { samples, sampled } = data;
  const host = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [tip, setTip] = useState<{ text: string; x: number; y: number } | null>(null);
  const colours = useSignal(theme);
  const interval = sampled?.interval_ms ?? 10;
  const outer = useMemo(() => plumbingDepth(data.frames, samples), [data]);
  const boxes = useMemo(
    () =>
      laneBoxes(
        samples.map((sample) => ({ ...sample, stack: sample.stack.slice(outer) })),
        interval * 3,
      ),
    [data],
  );
  const depth = Math.min(
    DEEPEST,
    boxes.reduce((max, box) => Math.max(max, box.level + 1), 0),
  );

  useEffect(() => {
    const [place, sheet] = [host.current, canvas.current];
    if (!place || !sheet) return;
    const watch = new ResizeObserver(() => drawLane(sheet, place.clientWidth, boxes, data, length, depth));
    watch.observe(place);
    return () => watch.disconnect();
  }, [boxes, length, depth, colours]);

  if (!samples.length)
    return (
      <Lane title="Stack samples">
        <p class="lane-note">
          No samples: this one was shorter than the interval{sampled ? ` of ${f.ms(sampled.interval_ms)}` : ''}, or sampling was
          off.
        </p>
      </Lane>
    );
  const point = (event: PointerEvent) => {
    const time = (event.offsetX / (host.current?.clientWidth || 1)) * length;
    const level = Math.floor((event.offsetY - 5) / ROW);
    const box = boxes.find((one) => one.level === level && time >= one.from && time < one.to);
    const frame = box && data.frames[box.frame];
    if (!box || !frame) return setTip(null);
    const doubt =
      box.state === 'uncertain' ? ' · uncertain: the line may be displaced' : box.state === 'waiting' ? ' · waiting' : '';
    setTip({
      text: `${f.tame(frame.function, 100)}  ${placeOf(frame.file, frame.line)} · ${f.ms(box.to - box.from)}${doubt}`,
      x: event.offsetX,
      y: event.offsetY,
    });
  };
  return (
    <Lane
      title="Stack samples"
      note={
        <>
          outermost on top
          {outer > 0 && (
            <span data-tip="Frames of the server and the framework that every sample shares are left out here">
              , {f.whole(outer)} outer left out
            </span>
          )}
          {sampled && sampled.uncertain_ms > 0 && (
            <>
              ,{' '}
              <span
                class="hatched-key"
                data-tip="Hatched: the sampler had to wait for the GIL before this look, so the line it saw may be the one after the one that ran."
              >
                <i class="hatched" />
                {f.ms(sampled.uncertain_ms)} uncertain
              </span>
            </>
          )}
          {sampled && sampled.lost > 0 && <>, {f.whole(sampled.lost)} lost</>}
        </>
      }
    >
      <div ref={host} class="lane-canvas" onPointerMove={point} onPointerLeave={() => setTip(null)}>
        <canvas
          ref={canvas}
          role="img"
          aria-label={`${f.plural(samples.length, 'stack sample')} over ${f.ms(length)}; the flame graph below reads them out.`}
        />
        {tip && (
          <div
            class="tip"
            style={{ left: `${Math.min(tip.x + 12, (host.current?.clientWidth ?? 0) - 240)}px`, top: `${tip.y + 16}px` }}
          >
            {tip.text}
          </div>
        )}
      </div>
    </Lane>
  );
}

function drawLane(
  canvas: HTMLCanvasElement,
  width: number,
  boxes: LaneBox[],
  { frames }: TraceAnswer,
  length: number,
  depth: number,
): void {
  if (!width) return;
  const c = prepare(canvas, width, depth * ROW + 10);
  const scale = width / length;
  const paint: Record<string, string> = {
    app: colour('--k-python'),
    lib: colour('--lane-lib'),
    std: colour('--lane-std'),
    db: colour('--k-db'),
    http: colour('--k-http'),
    gc: colour('--k-gc'),
  };
  const waiting = colour('--k-wait');
  const doubt = hatch(c, colour('--panel'));
  for (const box of boxes) {
    if (box.level >= DEEPEST) continue;
    const wide = (box.to - box.from) * scale;
    const area = [box.from * scale, 5 + box.level * ROW, Math.max(1, wide - (wide > 3 ? 0.6 : 0)), ROW - 1] as const;
    c.fillStyle = box.leaf && box.state === 'waiting' ? waiting : (paint[frames[box.frame]?.category ?? 'lib'] ?? paint['lib']!);
    c.fillRect(...area);
    if (box.state === 'uncertain') {
      c.fillStyle = doubt;
      c.fillRect(...area);
    }
  }
}

export function MemoryLane({ data, length }: { data: TraceAnswer; length: number }) {
  const { rss_curve: curve, gc, trace } = data;
  if (curve.length < 2 && !gc.length) return null;
  const values = curve.map(([, kb]) => kb);
  const [low, high] = values.length ? [Math.min(...values), Math.max(...values)] : [0, 0];
  const x = (t: number) => (1000 * t) / length;
  const y = (kb: number) => (high > low ? 40 - (32 * (kb - low)) / (high - low) : 24);
  const path = curve.map(([t, kb], i) => (i ? `H${x(t)}V${y(kb)}` : `M${x(t)},${y(kb)}`)).join('');
  const end = curve.length ? x(curve.at(-1)![0]) : 0;
  const paused = gc.reduce((sum, pause) => sum + pause.duration_ms, 0);
  const overlap = trace.rss?.overlap ?? 0;
  return (
    <Lane
      title="Memory"
      note={
        <>
          RSS {f.kb(trace.rss?.delta_kb, true)}
          {gc.length > 0 && (
            <>
              , <span class="bad">GC {f.ms(paused)}</span>
            </>
          )}
          {overlap > 0 && (
            <span data-tip="Memory belongs to the process: others ran at the same time, so some of it may be theirs.">
              {' '}
              · shared with {f.whole(overlap)} others
            </span>
          )}
        </>
      }
    >
      <svg
        class="memory-lane"
        viewBox="0 0 1000 46"
        preserveAspectRatio="none"
        role="img"
        aria-label={`Resident memory from ${f.kb(low)} to ${f.kb(high)}, ${f.plural(gc.length, 'collector pause')} of ${f.ms(paused)} together`}
      >
        {gc.map((pause, i) => (
          <rect key={i} class="pause" x={x(pause.t_ms)} width={Math.max(2, x(pause.duration_ms))} y="0" height="46" />
        ))}
        {curve.length > 1 && (
          <>
            <path class="area" d={`${path}V46H${x(curve[0]![0])}Z`} />
            <path class="curve" d={`${path}H${end}`} />
          </>
        )}
      </svg>
      {curve.length > 1 && (
        <>
          <span class="edge high">{f.kb(high)}</span>
          <span class="edge low">{f.kb(low)}</span>
        </>
      )}
    </Lane>
  );
}

function Lane({ title, note, children }: { title: string; note?: preact.ComponentChildren; children: preact.ComponentChildren }) {
  return (
    <div class="track-row lane-row">
      <div class="track-name">
        <b>{title}</b>
        <span>{note}</span>
      </div>
      <div class="lane">{children}</div>
    </div>
  );
}
