/** Holds a uPlot chart: made anew when its data or the theme changes, resized with its place, described in words. */
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type uPlot from 'uplot';
import { theme } from '../state/prefs.ts';
import { useSignal } from '../state/signal.ts';

export function Chart({
  make,
  data,
  label,
  height,
  settle,
  children,
}: {
  make: (host: HTMLElement, tip: HTMLElement) => uPlot;
  data: unknown;
  label: string;
  height: number;
  /** puts back what the data cannot say, like a box: after the chart is made, resized, or this has changed */
  settle?: (plot: uPlot) => void;
  children?: ComponentChildren;
}) {
  const host = useRef<HTMLDivElement>(null);
  const tip = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const colours = useSignal(theme);

  useLayoutEffect(() => {
    const selection = plot.current && { ...plot.current.select };
    const drawn = make(host.current!, tip.current!);
    // uPlot settles itself in a microtask, which would clear a selection made before it
    if (!settle && selection && selection.width > 0) queueMicrotask(() => drawn.setSelect(selection, false));
    plot.current?.destroy();
    plot.current = drawn;
  }, [data, colours]);
  const settled = useRef(settle);
  settled.current = settle;
  const settleSoon = () => queueMicrotask(() => plot.current && settled.current?.(plot.current));
  useLayoutEffect(settleSoon, [data, colours, settle]);
  useLayoutEffect(() => {
    const watch = new ResizeObserver(() => {
      const width = host.current?.clientWidth;
      if (!width || !plot.current || plot.current.width === width) return;
      plot.current.setSize({ width, height: plot.current.height });
      settleSoon();
    });
    watch.observe(host.current!);
    const clear = (event: KeyboardEvent) => {
      if ((event.target as Element).closest?.('input, select, textarea, dialog')) return;
      if (event.key === 'Escape' && plot.current && plot.current.select.width > 0)
        plot.current.setSelect({ left: 0, top: 0, width: 0, height: 0 }, true);
    };
    addEventListener('keydown', clear);
    return () => {
      watch.disconnect();
      removeEventListener('keydown', clear);
      plot.current?.destroy();
    };
  }, []);

  return (
    <div class="chart">
      <div class="plot" ref={host} role="img" aria-label={label} style={{ minHeight: `${height}px` }} />
      <div class="tip" ref={tip} hidden />
      {children}
    </div>
  );
}
