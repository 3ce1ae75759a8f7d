/** Latency histogram on a logarithmic axis; a press on a bar opens the traces it counts. */
import type { HistogramData } from '../api/types.ts';
import * as f from '../text/format.ts';
import { type Bin, bins } from './bins.ts';
import { logPosition, logTicks } from './scale.ts';

/** Heights are square roots, so that a tail of single calls stays visible. */
const heights = (all: Bin[]): number[] => {
  const most = Math.max(...all.map((bin) => Math.sqrt(bin.count)), 1);
  return all.map((bin) => Math.sqrt(bin.count) / most);
};

export function Histogram({
  data,
  p50,
  p95,
  open,
  noun = 'call',
}: {
  data: HistogramData;
  p50: number | null;
  p95: number | null;
  /** where a press on a bar leads, if anywhere */
  open?: (low: number, high: number) => void;
  noun?: string;
}) {
  const all = bins(data);
  if (!all.length || !all.some((bin) => bin.count)) return <p class="empty-line">No {noun}s in this range.</p>;
  const [low, high] = [all[0]!.low, all.at(-1)!.high];
  const at = (value: number) => 100 * logPosition(value, low, high);
  const tall = heights(all);
  return (
    <div class="histogram">
      <div
        class="bars"
        role="img"
        aria-label={`${noun === 'call' ? 'Calls by latency' : `By ${noun}`} from ${f.ms(low)} to ${f.ms(high)}, median ${f.ms(p50)}, p95 ${f.ms(p95)}`}
      >
        {all.map(
          (bin, i) =>
            bin.count > 0 && (
              <span
                key={i}
                class={`column ${p95 !== null && bin.low >= p95 ? 'slow' : ''} ${open ? '' : 'still'}`}
                data-tip={`${f.ms(bin.low)} to ${f.ms(bin.high)}: ${f.plural(bin.count, noun)}.${open ? ' Press for their traces.' : ''}`}
                onClick={open && (() => open(bin.low, bin.high))}
                style={{ left: `${at(bin.low)}%`, width: `calc(${at(bin.high) - at(bin.low)}% - 1px)` }}
              >
                <i style={{ height: `${Math.max(2, 100 * tall[i]!)}%` }} />
              </span>
            ),
        )}
        {p50 !== null && (
          <span class="mark" style={{ left: `${at(p50)}%` }}>
            <b>p50</b>
          </span>
        )}
        {p95 !== null && (
          <span class="mark dashed" style={{ left: `${at(p95)}%` }}>
            <b>p95</b>
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

/** The same, the size of a headline, with one call marked in it. */
export function RankHistogram({
  data,
  value,
  p50,
  label,
}: {
  data: HistogramData;
  value: number;
  p50: number | null;
  label: string;
}) {
  const all = bins(data);
  if (!all.length || !all.some((bin) => bin.count)) return null;
  const [width, floor] = [190, 38];
  const [low, high] = [Math.min(all[0]!.low, value), Math.max(all.at(-1)!.high, value)];
  const x = (v: number) => logPosition(v, low, high) * width;
  const tall = heights(all);
  const me = Math.max(10, Math.min(width - 10, x(value)));
  return (
    <svg class="rankhist" width={width} height="52" viewBox={`0 0 ${width} 52`} role="img" aria-label={label}>
      {all.map((bin, i) => (
        <rect
          key={i}
          class={bin.high > value ? 'slow' : ''}
          x={x(bin.low)}
          width={Math.max(1, x(bin.high) - x(bin.low) - 0.8)}
          y={floor - tall[i]! * 34}
          height={tall[i]! * 34}
        />
      ))}
      <path d={`M${x(value)} 0V40`} />
      {p50 !== null && me - x(p50) > 62 && (
        <text x={Math.max(26, x(p50))} y="50" text-anchor="middle">
          p50 {f.ms(p50)}
        </text>
      )}
      <text class="me" x={me} y="50" text-anchor="middle">
        this
      </text>
    </svg>
  );
}
