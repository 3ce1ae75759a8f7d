/** The pages that can be saved as one file: a row here, and one in apm_agent/web/saved.py. */
import type { Page } from '../pages.ts';

export const PAGES: Page[] = [
  { id: 'endpoint', title: 'Endpoint', source: '', load: () => import('../pages/endpoint/endpoint.tsx'), ranged: false },
  { id: 'trace', title: 'Trace', source: '', load: () => import('../pages/trace/trace.tsx'), ranged: false },
  { id: 'compare', title: 'Compare', source: '', load: () => import('../pages/compare/compare.tsx'), ranged: false },
];
