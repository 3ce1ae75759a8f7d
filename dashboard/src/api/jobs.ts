/** What `jobs` and `job` answer. */
import type { Common, EndpointRow, HistogramData } from './types.ts';

export interface Wait {
  count: number;
  p50_ms: number | null;
  p95_ms: number | null;
  max_ms: number | null;
}

/** How regularly runs come; null where they come at no steady rhythm. */
export interface Schedule {
  every_s: number;
  drift_ms: number;
  missed: number;
  gaps: number;
}

/** What is told of single runs, of the newest `looked` of them. */
export interface Runs {
  wait: Wait;
  retries: number;
  reruns: number;
  looked: number;
  last: number | null;
  schedule: Schedule | null;
}

export type JobRow = EndpointRow & Runs;

export interface JobsAnswer extends Common {
  jobs: JobRow[];
  total: { count: number; errors: number; total_ms: number; per_min: number; retries: number; jobs: number };
  /** jobs of the store that did not run in this range */
  idle: { name: string; service: string; last: number }[];
  cursor: string | null;
  services: string[];
  releases: string[];
}

export interface Enqueuer {
  name: string;
  kind: string;
  service: string;
  method: string | null;
  route: string | null;
  count: number;
  share: number;
  trace: string;
  run: string;
}

export interface JobAnswer extends Common {
  job: { name: string; service: string } & Runs;
  histogram: HistogramData;
  series: { t: number[]; step: number; count: number[]; p50_ms: (number | null)[]; p95_ms: (number | null)[] };
  outcomes: { outcome: string; count: number }[];
  queues: { queue: string; count: number }[];
  enqueued: { senders: Enqueuer[]; known: number; gone: number; untold: number };
}
