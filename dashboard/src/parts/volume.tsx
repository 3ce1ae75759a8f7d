/** Calls and errors per minute under a heatmap, with the times of its box, fetched by itself. */
import { useCallback } from 'preact/hooks';
import type uPlot from 'uplot';
import type { Selection } from '../draw/box.ts';
import { Chart } from '../draw/chart.tsx';
import { type HeatInput, drawBand } from '../draw/heatmap.ts';
import { makeVolume } from '../draw/volume.ts';

export default function Volume({ input, label, box }: { input: HeatInput; label: string; box: Selection | null }) {
  const settle = useCallback((plot: uPlot) => drawBand(plot, box), [box?.from, box?.to]);
  return <Chart make={(host) => makeVolume(host, input)} data={input} label={label} height={84} settle={settle} />;
}
