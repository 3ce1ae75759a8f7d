/** What `groups` and `filters` answer. */
import type { Common, EndpointRow } from './types.ts';

export type GroupRow = Omit<
  EndpointRow,
  'kind' | 'method' | 'route' | 'view' | 'cpu_ms' | 'queue_ms' | 'spark' | 'flags' | 'why' | 'where'
> & { endpoints: number };

/** What the pages can be narrowed by. */
export interface FiltersAnswer extends Common {
  services: string[];
  releases: string[];
  /** machines that wrote to the store */
  hosts: string[];
  /** how many of what each page lists; null is not known */
  counts: { endpoints: number; jobs: number; queries: number; errors: number; in_flight: number | null };
}

export interface GroupsAnswer extends Omit<FiltersAnswer, 'counts' | 'hosts'> {
  groups: GroupRow[];
}
