/** Two latency histograms on one logarithmic axis: before as an outline, after filled, each as shares of its own calls. */
import type { OverlaidData } from '../api/compare.ts';
import * as f from '../text/format.ts';
import { together } from './bins.ts';
import { logPosition, logTicks } from './scale.ts';

/** Marks nearer than this (in % of the width) are one; right of that their name stands on their left. */
const CLOSE = 1;
const TURN = 82;

export function Overlaid({ data, was, now }: { data: OverlaidData; was: number | null; now: number | null }) {
  const all = together(data);
  const [before, after] = [data.before, data.after].map((counts) => counts.reduce((sum, count) => sum + count, 0) || 1);
  if (!all.some((bin) => bin.before || bin.after)) return <p class="empty-line">No calls on either side.</p>;
  const [low, high] = [all[0]!.low, all.at(-1)!.high];
  const at = (value: number) => 100 * logPosition(value, low, high);
  // square roots, so that a tail of single calls stays visible
  const tall = (count: number, of: number) => Math.sqrt(count / of);
  const most = Math.max(...all.flatMap((bin) => [tall(bin.before, before!), tall(bin.after, after!)]));
  const height = (count: number, of: number) => `${count ? Math.max(2, (100 * tall(count, of)) / most) : 0}%`;
  const close = was !== null && now !== null && Math.abs(at(was) - at(now)) < CLOSE;
  const told = (count: number, of: number) => `${f.plural(count, 'call')} (${f.percent(count / of)})`;
  return (
    <div class="histogram overlaid">
      <div
        class="bars"
        role="img"
        aria-label={`Calls by latency from ${f.ms(low)} to ${f.ms(high)}. p95 before ${f.ms(was)}, after ${f.ms(now)}.`}
      >
        {all.map((bin) => (
          <span
            key={bin.low}
            class="column"
            data-tip={`${f.ms(bin.low)} to ${f.ms(bin.high)}: before ${told(bin.before, before!)}, after ${told(bin.after, after!)}`}
            style={{ left: `${at(bin.low)}%`, width: `calc(${at(bin.high) - at(bin.low)}% - 1px)` }}
          >
            <i style={{ height: height(bin.after, after!) }} />
            <i class="was" style={{ height: height(bin.before, before!) }} />
          </span>
        ))}
        {was !== null && (
          <span class="mark dashed" style={{ left: `${at(was)}%` }}>
            {!close && <b class={`low ${at(was) > TURN ? 'left' : ''}`}>p95 before</b>}
          </span>
        )}
        {now !== null && (
          <span class="mark" style={{ left: `${at(now)}%` }}>
            <b class={at(now) > TURN ? 'left' : ''}>{close ? 'p95 of both' : 'p95 after'}</b>
          </span>
        )}
      </div>
      <div class="scale" aria-hidden="true">
        {logTicks(low, high).map((mark) => (
          <span key={mark} style={{ left: `${at(mark)}%` }}>
            {f.mark(mark)}
          </span>
        ))}
      </div>
    </div>
  );
}
