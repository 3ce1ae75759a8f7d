/** What `groups` answers. */
import type { Common, EndpointRow } from './types.ts';

export type GroupRow = Omit<
  EndpointRow,
  'kind' | 'method' | 'route' | 'view' | 'cpu_ms' | 'queue_ms' | 'spark' | 'flags' | 'why' | 'where'
> & { endpoints: number };

export interface GroupsAnswer extends Common {
  groups: GroupRow[];
  services: string[];
  releases: string[];
}
