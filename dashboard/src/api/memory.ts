/** What `memory`, `arms` and `captures` answer. */
import type { CapturedPlace, LineTimings, MemoryCapture } from './trace.ts';
import type { Common, Frame } from './types.ts';

export type Verdict = 'leaks' | 'returned' | 'steady' | 'too few';

export interface Grower {
  name: string;
  kind: string;
  service: string;
  /** calls that had their process to themselves, of them those after the warm-up, and those that others overlapped */
  exclusive: number;
  counted: number;
  overlapped: number;
  mean_kb: number | null;
  p50_kb: number | null;
  p95_kb: number | null;
  total_kb: number | null;
  slope_kb: number | null;
  slope_low_kb: number | null;
  slope_high_kb: number | null;
  p_value: number | null;
  verdict: Verdict;
}

export interface Worker {
  host: string;
  pid: number;
  service: string;
  release: string | null;
  started: number;
  last_seen: number;
  silent: boolean;
  rss_kb: number | null;
  peak_kb: number | null;
  growth_kb: number | null;
  sizes_kb: (number | null)[];
}

export interface Restart {
  t: number;
  host: string;
  pid: number;
  service: string;
  release: string | null;
  before: number | null;
  before_kb: number | null;
  why: 'start' | 'restart' | 'release';
}

export interface Collector {
  name: string;
  kind: string;
  service: string;
  total_ms: number;
  share: number;
  of_its_time: number;
  calls: number;
  paused: number;
  most_ms: number | null;
  pauses: number;
  looked_into: number;
}

export interface MemoryAnswer extends Common {
  endpoints: Grower[];
  total: { endpoint_count: number; calls: number; exclusive: number };
  step: number;
  t: number[];
  workers: Worker[];
  left_out: number;
  restarts: Restart[];
  releases: { t: number; version: string; service: string }[];
  gc: {
    total_ms: number;
    of_all_time: number;
    calls: number;
    paused: number;
    pauses: number;
    looked_into: number;
    longest: { ms: number; generation: number; trace: string; name: string } | null;
    /** the most one call waited in pauses altogether */
    at_most_ms: number | null;
    endpoints: Collector[];
    method: string;
  };
  method: string;
  more: boolean;
}

export type Capture = 'cprofile' | 'lines' | 'memory';

export interface ArmWorker {
  host: string;
  pid: number;
  service: string;
  last_seen: number;
  live: boolean;
  kept: number;
  unmeasured: Record<string, number>;
}

export interface Arm {
  id: string;
  endpoint: string;
  service: string | null;
  capture: Capture;
  count: number;
  done: number;
  state: 'armed' | 'done';
  created: number;
  until: number;
  functions: { file: string; function: string; line: number }[];
  unmeasured: Record<string, number>;
  workers: ArmWorker[];
  unheard: number;
}

export interface ArmsAnswer extends Common {
  arms: Arm[];
}

export interface CaptureRow {
  id: string;
  t: number;
  name: string;
  kind: string;
  service: string;
  capture: Capture;
  arm: string | null;
  duration_ms: number;
  rss_kb: number | null;
  kept_kb: number | null;
  overlap: number;
  host: string;
  pid: number;
  release: string | null;
}

export interface CalledFunction extends Frame {
  calls: number;
  own_ms: number;
  total_ms: number;
}

/** Functions, and calls as [caller, callee, how many, own ms, total ms]. */
export interface Calls {
  transactions: number;
  functions: CalledFunction[];
  calls: [number, number, number, number, number][];
  left_out: number;
  note: string;
}

/** Of one transaction, or of several added up: then each line and type says in how many. */
export interface Kept extends Omit<MemoryCapture, 'lines' | 'types'> {
  lines: (CapturedPlace & { kb: number; blocks: number; transactions?: number })[];
  types: { type: string; count: number; where: CapturedPlace | null; transactions?: number }[];
  /** how many of several were not alone in their process */
  shared?: number;
}

export interface CapturesAnswer extends Common {
  captures: CaptureRow[];
  callgraph: Calls | null;
  lines: { transactions: number; functions: LineTimings[] } | null;
  memory: (Kept & { transactions: number }) | null;
  more: boolean;
}

export const CAPTURE_NAMES: Record<Capture, string> = {
  cprofile: 'cProfile',
  lines: 'Line timings',
  memory: 'Memory',
};
