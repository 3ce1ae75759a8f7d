/** Resident memory of each worker as a line; restarts and releases marked on the same time. */
import uPlot from 'uplot';
import type { MemoryAnswer, Worker } from '../../api/memory.ts';
import { axis, timeAxis } from '../../draw/heatmap.ts';
import { colour } from '../../draw/palette.ts';
import { niceStep } from '../../draw/scale.ts';
import * as f from '../../text/format.ts';
import { HEIGHT, keyOf, restartText } from './marks.ts';

const LABELLED = 5;
const LABEL_GAP = 14;
/** So few known points want to be seen as points. */
const SPARSE = 30;
/** Pixels from the pointer to a line it still means. */
const NEAR = 28;
const FONT = '11px "Inter Variable", sans-serif';

export interface WorkersInput {
  data: MemoryAnswer;
  chosen: string | null;
}

/** Sizes from nothing up, in steps that are round in MB. */
function splits(most: number): number[] {
  const unit = most > 2 * 1024 ** 2 ? 1024 ** 2 : 1024;
  const step = niceStep(Math.max(most, 1) / unit, 5) * unit;
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, i) => i * step);
}

export function makeWorkers(host: HTMLElement, input: WorkersInput, tip: HTMLElement): uPlot {
  const { data, chosen } = input;
  const { from, to } = data.window;
  const most = Math.max(1024, ...data.workers.map((one) => one.peak_kb ?? 0)) * 1.14;
  const plain = colour('--k-python');
  const accent = colour('--accent');
  const line = (worker: Worker): uPlot.Series => {
    const mine = keyOf(worker) === chosen;
    const stroke = mine ? accent : plain;
    return {
      label: `pid ${worker.pid}`,
      stroke,
      width: mine ? 3 : 1.5,
      alpha: chosen && !mine ? 0.3 : worker.silent ? 0.6 : 1,
      ...(worker.silent ? { dash: [5, 4] } : {}),
      spanGaps: true,
      points: { show: worker.sizes_kb.filter((size) => size !== null).length < SPARSE, size: mine ? 5 : 4, fill: stroke },
    };
  };
  return new uPlot(
    {
      width: host.clientWidth,
      height: HEIGHT,
      padding: [22, 12, 0, 0],
      scales: { x: { range: [from, to] }, y: { range: [0, most] } },
      axes: [
        timeAxis(from, to),
        {
          ...axis(),
          size: 58,
          splits: () => splits(most),
          values: (_, values) => values.map((v) => (v ? f.kb(v).replace('.0 ', ' ') : '0')),
        },
      ],
      series: [{}, ...data.workers.map(line)],
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false }, sync: { key: 'time' } },
      legend: { show: false },
      hooks: {
        drawAxes: [(u) => releases(u, data)],
        draw: [(u) => restarts(u, data), (u) => labels(u, input)],
        setCursor: [(u) => hover(u, data, tip)],
      },
    },
    [data.t.map((t) => Math.min(to, t + data.step / 2)), ...data.workers.map((worker) => worker.sizes_kb)],
    host,
  );
}

/** A line from top to bottom with the version on it, as wide as its text. */
function releases(u: uPlot, data: MemoryAnswer): void {
  const c = u.ctx;
  const ratio = devicePixelRatio || 1;
  c.save();
  c.font = `600 ${11 * ratio}px "Inter Variable", sans-serif`;
  c.textBaseline = 'middle';
  c.textAlign = 'left';
  let free = -Infinity;
  for (const one of data.releases) {
    const x = Math.round(u.valToPos(one.t, 'x', true));
    c.fillStyle = colour('--ink');
    c.fillRect(x, u.bbox.top - 8 * ratio, Math.max(1, ratio), u.bbox.height + 8 * ratio);
    const text = f.tame(one.version, 16);
    const width = c.measureText(text).width + 12 * ratio;
    const left = Math.min(Math.max(x - width / 2, u.bbox.left), u.bbox.left + u.bbox.width - width);
    if (left < free) continue;
    free = left + width + 4 * ratio;
    c.beginPath();
    c.roundRect(left, u.bbox.top - 20 * ratio, width, 17 * ratio, 4 * ratio);
    c.fill();
    c.fillStyle = colour('--panel');
    c.fillText(text, left + 6 * ratio, u.bbox.top - 11 * ratio);
  }
  c.restore();
}

/** A triangle under the line of time for each worker that began, filled where another had ended before it. */
function restarts(u: uPlot, data: MemoryAnswer): void {
  const c = u.ctx;
  const ratio = devicePixelRatio || 1;
  const bottom = u.bbox.top + u.bbox.height;
  c.save();
  c.lineWidth = 1.2 * ratio;
  for (const one of data.restarts) {
    const x = u.valToPos(one.t, 'x', true);
    c.strokeStyle = c.fillStyle = colour(one.why === 'restart' ? '--warn' : '--ink-3');
    c.beginPath();
    c.moveTo(x, bottom - 9 * ratio);
    c.lineTo(x - 5 * ratio, bottom - 1);
    c.lineTo(x + 5 * ratio, bottom - 1);
    c.closePath();
    if (one.why === 'restart') c.fill();
    else c.stroke();
  }
  c.restore();
}

/** The largest of those at work named where their lines end, one above the other. */
function labels(u: uPlot, { data, chosen }: WorkersInput): void {
  const c = u.ctx;
  const ratio = devicePixelRatio || 1;
  const ends = data.workers
    .map((worker) => ({ worker, at: worker.sizes_kb.findLastIndex((size) => size !== null) }))
    .filter(({ at }) => at >= 0)
    .map(({ worker, at }) => ({
      worker,
      x: u.valToPos(u.data[0]![at]!, 'x', true),
      y: u.valToPos(worker.sizes_kb[at]!, 'y', true),
    }));
  const largest = ends.filter(({ worker }) => !worker.silent).slice(0, LABELLED);
  const named = ends.filter((one) => largest.includes(one) || keyOf(one.worker) === chosen).sort((a, b) => b.y - a.y);
  c.save();
  c.font = FONT.replace('11px', `${11 * ratio}px`);
  c.textBaseline = 'middle';
  c.textAlign = 'left';
  c.lineJoin = 'round';
  const taken: { left: number; right: number; y: number }[] = [];
  for (const { worker, x, y } of named) {
    const text = `pid ${worker.pid} ${f.kb(worker.rss_kb)}`;
    const width = c.measureText(text).width;
    const left = Math.max(u.bbox.left, Math.min(x - width - 4 * ratio, u.bbox.left + u.bbox.width - width - 2 * ratio));
    let top = y - 10 * ratio;
    for (const other of taken)
      if (left < other.right && left + width > other.left && Math.abs(top - other.y) < LABEL_GAP * ratio)
        top = other.y - LABEL_GAP * ratio;
    taken.push({ left, right: left + width, y: top });
    c.strokeStyle = colour('--panel');
    c.lineWidth = 4 * ratio;
    c.strokeText(text, left, top);
    c.fillStyle = keyOf(worker) === chosen ? colour('--accent') : colour('--ink-2');
    c.fillText(text, left, top);
  }
  c.restore();
}

function hover(u: uPlot, data: MemoryAnswer, tip: HTMLElement): void {
  const { left, top, idx } = u.cursor;
  const near = left === undefined || left < 0 || idx === null || idx === undefined ? null : nearest(u, data, left, top ?? 0);
  tip.hidden = !near;
  if (!near || left === undefined) return;
  tip.textContent = near;
  const x = left + u.bbox.left / devicePixelRatio;
  tip.style.left = `${Math.max(0, Math.min(x + 14, u.width - tip.offsetWidth - 8))}px`;
  tip.style.top = `${Math.max(0, (top ?? 0) - 12)}px`;
}

/** What the pointer means: a mark under it, or the line nearest to it. */
function nearest(u: uPlot, data: MemoryAnswer, left: number, top: number): string | null {
  if (top > u.over.clientHeight - 14) {
    const mark = data.restarts.find((one) => Math.abs(u.valToPos(one.t, 'x') - left) < 7);
    if (mark) return restartText(mark);
  }
  let best = NEAR;
  let text: string | null = null;
  const at = u.posToVal(left, 'x');
  for (const worker of data.workers) {
    const i = closest(worker.sizes_kb, (at - data.t[0]!) / data.step);
    if (i === null) continue;
    const away = Math.hypot(u.valToPos(worker.sizes_kb[i]!, 'y') - top, 0.4 * (u.valToPos(u.data[0]![i]!, 'x') - left));
    if (away < best) {
      best = away;
      text = `${f.clock(u.data[0]![i]!)} · pid ${worker.pid} ${f.tame(worker.service, 40)}${worker.release ? ` ${f.tame(worker.release, 24)}` : ''} · ${f.kb(worker.sizes_kb[i])}`;
    }
  }
  return text;
}

function closest(sizes: (number | null)[], at: number): number | null {
  let best: number | null = null;
  sizes.forEach((size, i) => {
    if (size !== null && (best === null || Math.abs(i + 0.5 - at) < Math.abs(best + 0.5 - at))) best = i;
  });
  return best;
}
