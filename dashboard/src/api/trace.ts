/** What `trace` and `bytecode` answer. */
import type { Common, Frame, HistogramData, Insight, Place, SourceBlock, Statement, TraceRow } from './types.ts';

export interface Span {
  id: number;
  parent: number | null;
  kind: string;
  name: string;
  start_ms: number;
  duration_ms: number;
  self_ms: number;
  statement: { id: string } | null;
  where: Place | null;
  first_row_ms: number | null;
  fetch_ms: number | null;
  first_message_ms: number | null;
  tags: Record<string, unknown>;
  repeats: string | null;
  open: boolean;
}

export interface Sample {
  t_ms: number;
  weight_ms: number;
  cpu_ms?: number | null;
  stack: number[];
  state: 'running' | 'uncertain' | 'waiting';
}

export interface CallgraphFunction extends Frame {
  calls: number;
  own_ms: number;
  total_ms: number;
}

export interface CapturedPlace {
  file: string;
  line: number;
  category: string;
  source: string | null;
}

/** Exact hits and times of a function's lines, from line_profiler; `line` is its first. */
export interface LineTimings extends CapturedPlace {
  function: string;
  total_ms: number;
  lines: { number: number; text: string | null; hits: number; ms: number }[];
}

/** What one transaction allocated and left alive, measured on demand. */
export interface MemoryCapture {
  kept_kb: number;
  peak_kb: number | null;
  lines: (CapturedPlace & { kb: number; blocks: number })[];
  types: { type: string; count: number; where: CapturedPlace | null }[];
  holders: { type: string; held_by: { what: string; count: number }[] }[];
  objects: number;
  took_ms: number;
  overlap: number;
  exclusive: boolean;
  note: string;
}

export interface TraceDetail extends Omit<TraceRow, 'error' | 'kept'> {
  kept?: string | null;
  kept_share: number;
  view: string | null;
  queue_ms: number | null;
  first_byte_ms: number | null;
  percentile: number | null;
  endpoint_count: number;
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
  rss: {
    before_kb: number | null;
    after_kb: number | null;
    delta_kb: number | null;
    peak_kb: number | null;
    overlap: number | null;
  } | null;
  context: Record<string, unknown>;
  error: { type: string; message: string | null; file: string | null; line: number | null; function: string | null } | null;
  python: string | null;
  worker: string | null;
  server: string | null;
}

/** Who held the event loop while the transaction was ready to run. */
export interface BlockedBy {
  name: string;
  trace: string | null;
  where: Place | null;
  ms: number;
  uncertain_ms: number;
}

export interface TraceAnswer extends Common {
  trace: TraceDetail;
  histogram: HistogramData;
  insights: Insight[];
  spans: Span[];
  lost: { kind: string; name: string; count: number; total_ms: number }[];
  statements: Statement[];
  frames: Frame[];
  samples: Sample[];
  sampled: { interval_ms: number; count: number; sampled_ms: number; uncertain_ms: number; lost: number } | null;
  blocked_by: BlockedBy[];
  /** How many waited for the event loop that it held. */
  blocking: { victims: number; ms: number; uncertain_ms: number } | null;
  gc: { t_ms: number; duration_ms: number; generation: number }[];
  rss_curve: [number, number][];
  callgraph: { functions: CallgraphFunction[]; note: string } | null;
  /** What was measured of it on demand, and for which arm. */
  captured: { capture: 'cprofile' | 'lines' | 'memory'; arm: string | null } | null;
  memory_capture: MemoryCapture | null;
  lines: LineTimings[];
  source: SourceBlock[];
  previous: string | null;
  next: string | null;
  median: string | null;
  detail?: boolean;
  why_none?: string;
}

export interface BytecodeAnswer {
  python: string;
  ran_on: string | null;
  lines: { line: number; instructions: [offset: number, name: string, argument: string][] }[];
}
