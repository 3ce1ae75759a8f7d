/** Axes: round steps for a linear one, powers of ten for a logarithmic one. */

/** The smallest of 1, 2, 5 × 10ⁿ that divides `length` into at most `most` steps. */
export function niceStep(length: number, most: number): number {
  const rough = length / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(rough || 1));
  for (const factor of [1, 2, 5, 10]) if (factor * power >= rough * 0.999) return factor * power;
  return 10 * power;
}

export function ticks(length: number, most: number): number[] {
  if (!(length > 0)) return [0];
  const step = niceStep(length, most);
  return Array.from({ length: Math.floor(length / step + 1e-9) + 1 }, (_, i) => i * step);
}

/** Where `value` stands between `low` and `high` on a logarithmic axis, 0 to 1. */
export function logPosition(value: number, low: number, high: number): number {
  if (!(value > 0)) return 0;
  return Math.max(0, Math.min(1, Math.log(value / low) / Math.log(high / low)));
}

/** Marks for a logarithmic axis: powers of ten, with 2 and 5 between them where there are few. */
export function logTicks(low: number, high: number): number[] {
  const tens = decades(low, high);
  if (tens.length > 2) return tens;
  return decades(low / 10, high)
    .flatMap((ten) => [ten, 2 * ten, 5 * ten])
    .filter((mark) => mark >= low && mark <= high);
}

/** Powers of ten from `low` to `high`, both included when they are powers themselves. */
export function decades(low: number, high: number): number[] {
  const first = Math.ceil(Math.log10(low) - 1e-9);
  const last = Math.floor(Math.log10(high) + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => 10 ** (first + i));
}

/** The first and last bucket that hold anything, with one empty neighbour on each side. */
export function occupied(counts: number[]): [first: number, last: number] {
  const first = counts.findIndex((count) => count > 0);
  if (first < 0) return [0, counts.length - 1];
  const last = counts.findLastIndex((count) => count > 0);
  return [Math.max(0, first - 1), Math.min(counts.length - 1, last + 1)];
}
