/** Charts the size of a word: sparkline and latency glyph. */
import * as f from '../text/format.ts';
import { logPosition } from './scale.ts';

/** Fewer points make no line. */
const FEWEST = 4;

/** At least 38% of the maximum is in view, so that noise stays small. */
export function Spark({
  values,
  width = 92,
  height = 22,
  worse = false,
}: {
  values: (number | null)[];
  width?: number;
  height?: number;
  worse?: boolean;
}) {
  const known = values.filter((value): value is number => value !== null);
  if (known.length < FEWEST) return null;
  const high = Math.max(...known, 1e-9);
  const low = Math.min(...known, high * 0.62);
  const x = (i: number) => (i * width) / (values.length - 1);
  const y = (value: number) => 2 + (height - 4) * (1 - (value - low) / (high - low || 1));
  let path = '';
  let pen = false;
  values.forEach((value, i) => {
    if (value !== null) path += `${pen ? 'L' : 'M'}${x(i).toFixed(1)},${y(value).toFixed(1)}`;
    pen = value !== null;
  });
  const last = values.findLastIndex((value) => value !== null);
  return (
    <svg
      class={`spark ${worse ? 'bad' : ''}`}
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      aria-hidden="true"
    >
      <path d={path} />
      <circle cx={x(last)} cy={y(values[last]!)} r="2" />
    </svg>
  );
}

/** p50, p95 and p99 on one logarithmic axis, so that rows can be compared by eye. */
export function Glyph({
  p50,
  p95,
  p99,
  low,
  high,
  width = 130,
  worse = false,
}: {
  p50: number | null;
  p95: number | null;
  p99: number | null;
  low: number;
  high: number;
  width?: number;
  worse?: boolean;
}) {
  if (p50 === null || p95 === null || p99 === null) return <span class="faint">{f.NONE}</span>;
  const x = (value: number) => 2 + logPosition(value, low, high) * (width - 4);
  return (
    <svg
      class={`glyph ${worse ? 'bad' : ''}`}
      width={width}
      height="16"
      role="img"
      aria-label={`p50 ${f.ms(p50)}, p95 ${f.ms(p95)}, p99 ${f.ms(p99)}`}
    >
      <path class="base" d={`M0 8.5H${width}`} />
      <path class="tail" d={`M${x(p95)} 8.5H${x(p99)}M${x(p99)} 5V12`} />
      <path class="body" d={`M${x(p50)} 8.5H${Math.max(x(p95), x(p50) + 1)}`} />
      <path class="p50" d={`M${x(p50)} 3V14`} />
    </svg>
  );
}
