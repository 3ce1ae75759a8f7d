/** What the chart of workers and the words beside it share. */
import type { Restart, Worker } from '../../api/memory.ts';
import * as f from '../../text/format.ts';

export const HEIGHT = 280;

export const keyOf = (worker: Worker): string => `${worker.host} ${worker.pid} ${worker.started}`;

export function restartText(one: Restart): string {
  const what = `${f.clock(one.t, true)} · pid ${one.pid} of ${f.tame(one.service, 40)} began`;
  if (one.why === 'start') return `${what}; no other had just ended`;
  const before = `pid ${one.before}${one.before_kb === null ? '' : `, last ${f.kb(one.before_kb)}`}`;
  return one.why === 'release'
    ? `${what} with release ${f.tame(one.release ?? '', 40)}, after ${before}`
    : `${what} after ${before}`;
}
