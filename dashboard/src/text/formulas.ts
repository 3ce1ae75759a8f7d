/** How each figure is made, once: tooltips and the help read it. */

export const FORMULAS = {
  share: 'Time consumed: all time of this endpoint ÷ all time of all endpoints, in this range. Long connections are left out.',
  count: 'Calls: finished transactions in this range, kept in detail or not.',
  rate: 'Calls per minute: finished transactions ÷ minutes in this range.',
  glyph: 'p50 to p95 (thick) to p99 (thin) on one logarithmic axis, the same for every row.',
  p50: 'p50: half of the calls were faster. From histogram buckets; at most 1.1% off.',
  p95: 'p95: 95 of 100 calls were faster. From histogram buckets; at most 1.1% off.',
  p99: 'p99: 99 of 100 calls were faster. From histogram buckets; at most 1.1% off.',
  change: 'p95 in this range ÷ p95 in the range of the same length before it, minus 1. Needs 20 calls on both sides.',
  errors: 'Errors: calls that raised or answered 5xx ÷ all calls.',
  queries: 'Queries per call: database statements run ÷ calls.',
  rss: 'RSS per call: resident memory after minus before, mean over calls that had the process to themselves.',
  spark: 'p95 over the range, in 36 steps. At least 38% of the maximum is in view, so that noise stays small.',
  busy: 'Busy workers: all time of all requests ÷ length of this range, which is how many threads or tasks were at work on average.',
  cpu: 'CPU: processor time of the thread that worked for this transaction.',
  duration: 'Duration: from the first byte of work to the last byte of the answer.',
  rank: 'Calls of this endpoint in this range that were faster ÷ all its calls.',
  own: 'Own time: samples whose innermost frame is this line × what each sample is worth.',
  total: 'Total: samples with this line anywhere in the stack × what each sample is worth; recursion counts once.',
  bands:
    'Mean time per call by kind: the faster half, the calls between, and the slowest 5%. From transactions kept in this range.',
  each: 'Each: total time ÷ runs.',
  spanShare: 'Share: total time of this statement ÷ all statement time of this endpoint.',
  selfTime: 'Own time of a span: its duration minus what its child spans cover.',
  firstRow:
    'Time to first row: from the start of the call that ran the statement until the driver had its first row, or knew that there is none; time between two calls of the driver is left out.',
  firstMessage:
    'Time to first message: the call that began the stream, and how long the application waited for its first message.',
  fetching: 'Fetching rows: time inside the driver after that call, part of the duration; the application ran between.',
  sampled: 'Sampled time: the sum of what the samples are worth; each is worth the time since the last look.',
} as const;

export type Formula = keyof typeof FORMULAS;
