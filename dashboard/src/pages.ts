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
  /** the rail entry that is lit where the page has none of its own, which may depend on its address */
  under?: string | ((address: URLSearchParams) => string);
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
    under: (address) => (address.get('kind') === 'background' ? 'jobs' : 'endpoints'),
    ranged: true,
  },
  {
    id: 'jobs',
    title: 'Jobs',
    source: 'jobs/jobs.tsx',
    load: () => import('./pages/jobs/jobs.tsx'),
    rail: { group: '', icon: 'jobs', key: 'j' },
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
    id: 'memory',
    title: 'Memory',
    source: 'memory/memory.tsx',
    load: () => import('./pages/memory/memory.tsx'),
    rail: { group: 'Causes', icon: 'memory', key: 'm' },
    ranged: true,
  },
  {
    id: 'errors',
    title: 'Errors',
    source: 'errors/errors.tsx',
    load: () => import('./pages/errors/errors.tsx'),
    rail: { group: 'Causes', icon: 'error', key: 'r' },
    ranged: true,
  },
  {
    id: 'error',
    title: 'Error',
    source: 'errors/error.tsx',
    load: () => import('./pages/errors/error.tsx'),
    under: 'errors',
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
    id: 'live',
    title: 'In flight',
    source: 'live/live.tsx',
    load: () => import('./pages/live/live.tsx'),
    rail: { group: 'Agent', icon: 'live', key: 'l' },
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
