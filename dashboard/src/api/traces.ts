/** What `traces` answers. */
import type { Common, TraceRow } from './types.ts';

export interface TracesAnswer extends Common {
  traces: TraceRow[];
  cursor: string | null;
}
