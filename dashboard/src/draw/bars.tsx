/** Counts over time as bars, each with what it stands for: where a whole chart would be too much. */
import * as f from '../text/format.ts';

const MARKS = 4;

export function Bars({
  t,
  step,
  counts,
  from,
  to,
  noun,
}: {
  t: number[];
  step: number;
  counts: number[];
  from: number;
  to: number;
  noun: string;
}) {
  const most = Math.max(...counts, 1);
  const whole = to - from || 1;
  const at = (moment: number) => (100 * (Math.min(Math.max(moment, from), to) - from)) / whole;
  const busiest = t[counts.indexOf(most)] ?? from;
  const sum = counts.reduce((total, count) => total + count, 0);
  const mark = (moment: number) => (whole > 2 * 86_400 ? f.day(moment).slice(5) : f.clock(moment));
  return (
    <div class="histogram">
      <div
        class="bars"
        role="img"
        aria-label={`${f.plural(sum, noun)} over time, most from ${f.moment(busiest)} on: ${f.whole(most)} in ${f.lasted(step)}`}
      >
        {t.map(
          (start, i) =>
            counts[i]! > 0 && (
              <span
                key={start}
                class="column slow still"
                data-tip={`${f.moment(start)} to ${f.clock(start + step)}: ${f.plural(counts[i]!, noun)}`}
                style={{ left: `${at(start)}%`, width: `calc(${at(start + step) - at(start)}% - 1px)` }}
              >
                <i style={{ height: `${Math.max(3, (100 * counts[i]!) / most)}%` }} />
              </span>
            ),
        )}
        <span class="most num">{f.whole(most)}</span>
      </div>
      <div class="scale" aria-hidden="true">
        {Array.from({ length: MARKS }, (_, i) => from + (whole * (i + 0.5)) / MARKS).map((moment) => (
          <span key={moment} style={{ left: `${at(moment)}%` }}>
            {mark(moment)}
          </span>
        ))}
      </div>
    </div>
  );
}
