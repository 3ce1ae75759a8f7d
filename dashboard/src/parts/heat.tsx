/** The heatmap of a latency panel with its box, fetched by itself. */
import { useCallback } from 'preact/hooks';
import type uPlot from 'uplot';
import type { Box, Selection } from '../draw/box.ts';
import { Chart } from '../draw/chart.tsx';
import { type HeatInput, drawBox, makeHeatmap } from '../draw/heatmap.ts';

interface Props {
  input: HeatInput;
  label: string;
  box: Selection | null;
  select: (box: Box | null) => void;
}

export default function Heat({ input, label, box, select }: Props) {
  const settle = useCallback((plot: uPlot) => drawBox(plot, box), [box?.from, box?.to, box?.lowMs, box?.highMs]);
  return (
    <Chart make={(host, tip) => makeHeatmap(host, input, tip, select)} data={input} label={label} height={252} settle={settle} />
  );
}
