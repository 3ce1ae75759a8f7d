/** What `traces` answers. */
import type { Common, TraceRow } from './types.ts';

export interface TracesAnswer extends Common {
  traces: TraceRow[];
  cursor: string | null;
  /** the newest part of the range, where what few have was looked for there only; null: in all of it */
  searched: { looked_at: number; of: number; since: number } | null;
}
