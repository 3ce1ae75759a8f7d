/** The chart of workers, made anew when its data or the chosen worker changes. */
import { useMemo } from 'preact/hooks';
import type { MemoryAnswer } from '../../api/memory.ts';
import { Chart } from '../../draw/chart.tsx';
import { makeWorkers } from './chart.ts';
import { HEIGHT } from './marks.ts';

export default function Lines({ data, chosen, label }: { data: MemoryAnswer; chosen: string | null; label: string }) {
  const input = useMemo(() => ({ data, chosen }), [data, chosen]);
  return <Chart make={(host, tip) => makeWorkers(host, input, tip)} data={input} label={label} height={HEIGHT} />;
}
