/** What `endpoints` answers. */
import type { Common, EndpointRow } from './types.ts';

export interface EndpointsAnswer extends Common {
  endpoints: EndpointRow[];
  total: { count: number; errors: number; total_ms: number; per_min: number };
  cursor: string | null;
  services: string[];
  releases: string[];
}
