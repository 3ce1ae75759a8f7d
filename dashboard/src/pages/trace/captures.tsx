/** What was measured of a transaction on demand: fetched only where something was. */
import type { TraceAnswer } from '../../api/trace.ts';
import { later } from '../../parts/later.tsx';

const Shown = later(() => import('./captures-panel.tsx'));

export function Captures({ data }: { data: TraceAnswer }) {
  return data.captured || data.memory_capture || data.lines.length ? <Shown data={data} /> : null;
}
