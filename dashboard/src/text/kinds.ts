/** The kinds of time: their order, their names and what each of them is. */
import type { Kind, Kinds } from '../api/types.ts';

export const KINDS: Kind[] = ['python', 'db', 'http', 'template', 'cache', 'wait', 'queue', 'gc'];

export const KIND_NAMES: Record<string, string> = {
  python: 'Python',
  code: 'Python',
  db: 'SQL',
  http: 'HTTP client',
  template: 'Templates',
  cache: 'Cache',
  wait: 'Waiting',
  queue: 'Queue',
  gc: 'GC',
};

export const KIND_WORDS: Record<string, string> = {
  python: 'time that no span and no GC pause claims: your code and the libraries it runs',
  db: 'time inside database calls',
  http: 'time inside outgoing HTTP calls',
  template: 'time rendering templates, without the queries they caused',
  cache: 'time inside cache calls',
  wait: 'time waiting for a lock, a connection or the event loop',
  queue: 'time before the application took the work up',
  gc: 'time inside garbage collector pauses',
};

/** The class that colours a kind; a kind we have not met is drawn as Python. */
export const kindClass = (kind: string): string => `k-${kind in KIND_NAMES && kind !== 'code' ? kind : 'python'}`;

export interface Part {
  kind: string;
  value: number;
  share: number;
}

/** Sums by kind as parts of a whole, in the order of KINDS or largest first. */
export function parts(kinds: Kinds, largestFirst = false): Part[] {
  const known = KINDS.map((kind) => ({ kind, value: Math.max(0, kinds[kind] ?? 0) })).filter((part) => part.value > 0);
  const sum = known.reduce((total, part) => total + part.value, 0) || 1;
  if (largestFirst) known.sort((a, b) => b.value - a.value);
  return known.map((part) => ({ ...part, share: part.value / sum }));
}
