/** What the JSON API answers: one interface an answer, in the words of the API. */

export type Kind = 'python' | 'db' | 'http' | 'template' | 'cache' | 'wait' | 'queue' | 'gc';
export type Kinds = Partial<Record<Kind, number>>;
export type Severity = 'bad' | 'warn' | 'info';

export interface Common {
  window: { from: number; to: number; range: string | null };
  store: { written_at: number | null; stale: boolean; partial: string | null };
}

export interface EndpointRow {
  name: string;
  kind: string;
  service: string;
  method: string | null;
  route: string | null;
  view: string | null;
  count: number;
  share: number;
  total_ms: number;
  mean_ms: number | null;
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
  max_ms: number | null;
  errors: number;
  queries_per_call: number | null;
  rss_kb: number | null;
  rss_calls: number;
  cpu_ms: number | null;
  queue_ms: number | null;
  per_min: number;
  kinds: Kinds;
  p95_change: number | null;
  spark: (number | null)[];
  flags: string[];
  why: string | null;
  where: string | null;
}

export interface EndpointsAnswer extends Common {
  endpoints: EndpointRow[];
  total: { count: number; errors: number; total_ms: number; per_min: number };
  cursor: string | null;
  services: string[];
  releases: string[];
}

export interface Series {
  t: number[];
  step: number;
  count: number[];
  errors: number[];
  p50_ms: (number | null)[];
  p95_ms: (number | null)[];
  p99_ms: (number | null)[];
  kinds: Partial<Record<Kind, number[]>>;
  rss_kb?: (number | null)[];
}

export interface HeatmapData {
  edges_ms: number[];
  counts: number[][];
}

export interface HistogramData {
  edges_ms: number[];
  counts: number[];
}

export interface Place {
  file: string;
  line: number;
  function?: string | null;
  source?: string | null;
  /** the file is not what ran any more, so its text is not shown */
  changed?: boolean;
}

export interface Insight {
  kind: string;
  title: string;
  why: string;
  where: Place | null;
  count?: number;
  of?: number;
  cost_ms: number | null;
  total_ms?: number | null;
  statement?: { id: string; text: string } | null;
  fix: string | null;
  trace?: string | null;
  severity: Severity;
  /** The figures a cause rests on that was found in many transactions together. */
  evidence?: Record<string, unknown> | null;
}

export interface Band {
  count: number;
  mean_ms: number | null;
  kinds: Kinds;
}

export interface HotLine {
  file: string;
  line: number;
  function: string;
  category: string;
  own_ms: number;
  total_ms: number;
  /** processor time of its own time; null or missing: not known */
  cpu_ms?: number | null;
  share: number;
  source?: string | null;
  changed?: boolean;
  edited?: boolean;
}

export interface SourceBlock {
  file: string;
  function: string;
  /** the file was edited between the first and the last call of the range */
  edited?: boolean;
  lines: { number: number; text: string; own_ms: number; total_ms: number }[];
}

export interface Statement {
  id: string;
  text: string;
  runs: number;
  runs_per_call?: number;
  total_ms: number;
  mean_ms: number;
  max_ms: number;
  share?: number;
  where: Place | string | null;
}

export interface TraceRow {
  id: string;
  t: number;
  name: string;
  kind: string;
  service: string;
  method: string | null;
  route: string | null;
  path: string | null;
  duration_ms: number;
  status: number | null;
  failed: boolean;
  error: string | null;
  kinds: Kinds;
  queries: number;
  cpu_ms: number | null;
  rss_kb: number | null;
  rss_shared: boolean;
  release: string | null;
  host: string;
  pid: number;
  kept: string | null;
  has_detail: boolean;
}

export interface TracesAnswer extends Common {
  traces: TraceRow[];
  cursor: string | null;
}

export interface EndpointAnswer extends Common {
  endpoint: EndpointRow;
  series: Series;
  heatmap: HeatmapData;
  histogram: HistogramData;
  bands: Partial<Record<'fast' | 'typical' | 'slow', Band>>;
  insights: Insight[];
  hot_lines: HotLine[];
  source: SourceBlock[];
  statements: Statement[];
  traces: TraceRow[];
  memory: { exclusive: number; mean_kb: number | null; p50_kb: number | null; max_kb: number | null };
  profile_url: string | null;
}

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

export interface Frame {
  function: string;
  file: string;
  line: number;
  category: string;
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

export interface ProfileAnswer {
  frames: { function: string[]; file: string[]; line: number[]; category: string[] };
  nodes: { parent: number[]; frame: number[]; total_ns: number[]; own_ns: number[] };
  total_ns: number;
  count: number;
  transactions: number;
  pruned_ns: number;
  clock: Clock;
  /** of the time, how much has a processor time that is not known */
  unclocked_ns: number;
}

/** Time that passed, or processor time. */
export type Clock = 'wall' | 'cpu';
