/** Every page there is: a file and a row here. The build reads this table too, so it imports nothing. */
import type { ComponentType } from 'preact';

export interface Page {
  id: string;
  title: string;
  /** its file below src/pages/ */
  source: string;
  load: () => Promise<{ default: ComponentType }>;
  /** an entry of the rail: its group, its icon and the key that follows `g` */
  rail?: { group: string; icon: string; key: string };
  /** the rail entry that is lit where the page has none of its own */
  under?: string;
  /** it shows what happened in a range of time, so it has range, filters and Live */
  ranged: boolean;
}

export const PAGES: Page[] = [
  {
    id: 'overview',
    title: 'Overview',
    source: 'overview/overview.tsx',
    load: () => import('./pages/overview/overview.tsx'),
    rail: { group: '', icon: 'overview', key: 'o' },
    ranged: true,
  },
  {
    id: 'endpoints',
    title: 'Endpoints',
    source: 'endpoints/endpoints.tsx',
    load: () => import('./pages/endpoints/endpoints.tsx'),
    rail: { group: '', icon: 'endpoints', key: 'e' },
    ranged: true,
  },
  {
    id: 'endpoint',
    title: 'Endpoint',
    source: 'endpoint/endpoint.tsx',
    load: () => import('./pages/endpoint/endpoint.tsx'),
    under: 'endpoints',
    ranged: true,
  },
  {
    id: 'traces',
    title: 'Traces',
    source: 'traces.tsx',
    load: () => import('./pages/traces.tsx'),
    rail: { group: '', icon: 'traces', key: 't' },
    ranged: true,
  },
  {
    id: 'trace',
    title: 'Trace',
    source: 'trace/trace.tsx',
    load: () => import('./pages/trace/trace.tsx'),
    under: 'traces',
    ranged: false,
  },
  {
    id: 'queries',
    title: 'Queries',
    source: 'queries.tsx',
    load: () => import('./pages/queries.tsx'),
    rail: { group: 'Causes', icon: 'database', key: 'q' },
    ranged: true,
  },
  {
    id: 'query',
    title: 'Query',
    source: 'query/query.tsx',
    load: () => import('./pages/query/query.tsx'),
    under: 'queries',
    ranged: true,
  },
  {
    id: 'compare',
    title: 'Compare',
    source: 'compare/compare.tsx',
    load: () => import('./pages/compare/compare.tsx'),
    rail: { group: 'Causes', icon: 'compare', key: 'c' },
    ranged: false,
  },
  {
    id: 'health',
    title: 'Health',
    source: 'health/health.tsx',
    load: () => import('./pages/health/health.tsx'),
    rail: { group: 'Agent', icon: 'health', key: 'h' },
    ranged: true,
  },
];
