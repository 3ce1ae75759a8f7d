/** What `queries`, `query` and `plan` answer. */
import type { Common, Place, TraceRow } from './types.ts';

export interface QueryRow {
  id: string;
  text: string;
  summary: string;
  runs: number;
  per_min: number;
  runs_per_call: number;
  total_ms: number;
  mean_ms: number;
  max_ms: number;
  /** of `p95_runs` runs in kept transactions; null of fewer than 20 */
  p95_ms: number | null;
  p95_runs: number;
  /** mean of the `rows_runs` of those whose driver told it; null where none did */
  rows: number | null;
  rows_runs: number;
  share: number;
  /** its largest share of the time of an endpoint that sends it */
  endpoint_share: number | null;
  /** calls it was slow in ÷ calls that ran it */
  slow_share: number;
  endpoints: { name: string; kind: string; service: string }[];
  endpoint_count: number;
  where: Place[];
  places: number;
  flags: string[];
}

export interface QueriesAnswer extends Common {
  queries: QueryRow[];
  total: { count: number; runs: number; total_ms: number };
  cursor: string | null;
}

export interface Sender {
  name: string;
  kind: string;
  service: string;
  method: string | null;
  route: string | null;
  where: Place | null;
  runs: number;
  calls: number;
  runs_per_call: number;
  total_ms: number;
  mean_ms: number;
  max_ms: number;
  share: number;
}

export interface Step {
  depth: number;
  text: string;
  details: string[];
  rows: number | null;
  cost: number | null;
  scan: boolean;
}

export interface Plan {
  id: string;
  release: string | null;
  database: string;
  at: number;
  server: string;
  steps: Step[];
  note: string;
  /** an earlier plan of the same database, of another release where there is one, and what differs */
  before: { release: string | null; at: number; changed: boolean; gone: string[]; new: string[] } | null;
}

export interface QueryAnswer extends Common {
  /** null: it did not run in this range */
  query: QueryRow | null;
  id: string;
  text: string;
  summary: string;
  p95: { ms: number | null; count: number };
  series: {
    t: number[];
    step: number;
    runs: number[];
    total_ms: number[];
    mean_ms: (number | null)[];
    max_ms: (number | null)[];
  };
  senders: Sender[];
  examples: (TraceRow & { runs: number; statement_ms: number; longest_ms: number })[];
  plans: Plan[];
  explain: { databases: { name: string; engine: string }[]; refused: string | null };
}

export interface PlanAnswer {
  plan: Plan;
  not_kept: string | null;
}
