/** What several answers of the JSON API have in common, in the words of the API; each answer has a file of its own. */

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

export interface Frame {
  function: string;
  file: string;
  line: number;
  category: string;
}
