/** What `health` answers. */
import type { Common } from './types.ts';

export interface Process {
  host: string;
  pid: number;
  service: string;
  release: string | null;
  started: number;
  last_seen: number;
  python: string | null;
  server: string | null;
  sampler?: {
    state?: string;
    interval_ms: number | null;
    achieved_per_s: number | null;
    cpu_share: number | null;
    budget: number | null;
    late_ms_p90: number | null;
    uncertain_share: number | null;
  } | null;
  recorder?: { queued: number; recorded: number; dropped: number; ignored: number; lost?: number } | null;
  writer?: {
    batches: number;
    last_ms: number | null;
    max_ms: number | null;
    errors: number;
    cpu_ms: number | null;
    last_error?: string | null;
  } | null;
  overhead?: { per_transaction_us: number | null; cpu_share: number | null } | null;
  instruments?: { name: string; state: string; detail: string | null }[];
  contained?: { what: string; error: string; count: number }[];
  settings?: Record<string, unknown>;
}

/** One line of what `apm-agent doctor` would say. */
export interface Check {
  state: string;
  what: string;
  detail: string;
  cure: string;
}

/** Something that is kept: since when there is any, and how long it stays. */
export interface Kept {
  what: string;
  oldest: number | null;
  max_age_s: number | null;
}

export interface HealthAnswer extends Common {
  agent: { version: string; schema: number | string; reads: number };
  dashboard: { python: string; sqlite: string; werkzeug: string; host: string; pid: number };
  store: Common['store'] & {
    url: string;
    bytes: number | null;
    wal_bytes: number | null;
    max_bytes: number | null;
    oldest: number | null;
    newest: number | null;
    transactions: number | null;
    details: number;
    kept: Kept[];
    shipping: {
      server: string | null;
      shipper: string | null;
      at: number | null;
      shipped: number;
      dropped: number;
      behind_s: number | null;
      waiting: string | null;
    }[];
  };
  /** of the processes heard of lately; a percentile that is null is not known */
  cost: {
    processes: number;
    transactions: number;
    cpu_share: number | null;
    cpu_share_most: number | null;
    mean_us: number | null;
    p50_us: number | null;
    p95_us: number | null;
  };
  checks: Check[];
  /** what only the application's own process can tell */
  elsewhere: { what: string; detail: string }[];
  /** instruments of libraries that are installed beside the dashboard, and that no process has imported */
  unused: string[];
  /** whose environment they were looked for in: a dashboard by itself sees its own, not the application's */
  unused_in: 'application' | 'dashboard';
  privacy: {
    looked_at: number;
    with_path: number;
    with_context: number;
    masked_paths: number;
    masked_contexts: number;
    keys: { key: string; count: number }[];
  };
  processes: Process[];
}
