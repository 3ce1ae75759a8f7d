/** What `overview` and `explain` answer. */
import type { Common, EndpointRow, HeatmapData, Series, Severity, TraceRow } from './types.ts';

export interface KeyFigure {
  value: number | null;
  previous: number | null;
  spark: (number | null)[];
}

export interface Cause {
  kind: string;
  title: string;
  name: string;
  endpoint_kind: string;
  service: string;
  method: string | null;
  route: string | null;
  why: string;
  where: string | null;
  transactions: number;
  cost_ms: number;
  /** memory kept by all of them; null: it is no matter of memory */
  cost_kb: number | null;
  share: number;
  trace: string | null;
  severity: Severity;
  evidence: Record<string, unknown> | null;
}

export interface Worker {
  host: string;
  pid: number;
  service: string;
  started: number;
  rss_kb: number | null;
  last_seen: number;
}

export interface OverviewAnswer extends Common {
  kpi: Record<'per_min' | 'p50_ms' | 'p95_ms' | 'error_rate' | 'busy', KeyFigure>;
  total: { count: number; errors: number; total_ms: number; count_before: number };
  series: Series;
  heatmap: HeatmapData;
  fix_first: Cause[];
  endpoints: EndpointRow[];
  slowest: TraceRow[];
  workers: Worker[];
  crew: {
    restarts: number | null;
    /** null: nobody asks the processes to tell */
    in_flight: { count: number; oldest_ms: number | null } | null;
    longest_gc_ms: number | null;
  };
  releases: { version: string; first_seen: number }[];
}

export interface SharedValue {
  attribute: string;
  value: string;
  inside: number;
  /** null: there is nothing outside */
  outside: number | null;
  inside_count: number;
  outside_count: number;
  /** no chance explains it */
  sure: boolean;
  endpoint: { name: string; kind: string; service: string } | null;
  also: { attribute: string; value: string }[];
}

export interface ExplainAnswer extends Common {
  selected: { count: number; looked_at: number; median_ms: number | null };
  others: { count: number; looked_at: number };
  sampled: boolean;
  thin: boolean;
  shared: SharedValue[];
  median: { id: string; duration_ms: number; has_detail: boolean } | null;
}
