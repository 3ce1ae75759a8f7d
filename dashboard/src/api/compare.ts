/** What `compare` answers: the same before and after, everything per call. */
import type { Difference } from '../draw/difference.ts';
import type { Common, Frame, Place, TraceRow } from './types.ts';

export interface Side {
  /** in the words a side is asked for: range:6h, before:6h, release:1.4.0, tx:ID */
  label: string;
  from: number;
  to: number;
  count: number;
  transaction: string | null;
  release: string | null;
  trace: TraceRow | null;
  endpoint: { name: string; kind: string; service: string; method: string | null; route: string | null } | null;
  /** from when to when there were calls at all */
  seen: { from: number; to: number } | null;
  /** of what time its samples are: they are kept by ten minutes, older ones by the hour */
  profiled: { from: number; to: number } | null;
}

export interface Pair {
  before: number | null;
  after: number | null;
  change: number | null;
  /** standard deviations of the change from none */
  sureness: number | null;
  significant: boolean;
}

export type FigureName =
  'count' | 'mean_ms' | 'p50_ms' | 'p95_ms' | 'p99_ms' | 'error_rate' | 'queries_per_call' | 'cpu_ms' | 'rss_kb';

export interface KindPair {
  kind: string;
  before_ms: number | null;
  after_ms: number | null;
  change_ms: number | null;
  before_spans: number | null;
  after_spans: number | null;
}

interface Took {
  own_ms: number;
  total_ms: number;
  own_samples: number;
  total_samples: number;
}

export interface FunctionPair extends Frame {
  before: Took;
  after: Took;
  own_change_ms: number;
  total_change_ms: number;
  own_sureness: number | null;
  total_sureness: number | null;
  significant: boolean;
}

export type Became = 'appeared' | 'vanished' | 'changed' | 'same';

interface Ran {
  runs: number;
  runs_per_call: number;
  ms_per_call: number;
  mean_ms: number | null;
}

export interface StatementPair {
  id: string | null;
  text: string;
  status: Became;
  before: Ran;
  after: Ran;
  change_ms: number;
  where: Place | null;
}

export interface EndpointPair {
  name: string;
  kind: string;
  service: string;
  method: string | null;
  route: string | null;
  status: Became;
  before: Record<FigureName, number | null>;
  after: Record<FigureName, number | null>;
  change_ms: number | null;
  p95_change: number | null;
  cost_ms: number | null;
  thin: boolean;
}

export interface OverlaidData {
  edges_ms: number[];
  before: number[];
  after: number[];
}

export interface CompareAnswer extends Common {
  a: Side;
  b: Side;
  thin: boolean;
  why_thin: string | null;
  kpi: Record<FigureName, Pair>;
  kinds: KindPair[];
  histogram: OverlaidData;
  functions: FunctionPair[];
  statements: StatementPair[];
  endpoints: EndpointPair[];
  flame: Difference & { calls: { before: number; after: number }; samples: { before: number; after: number } };
}
