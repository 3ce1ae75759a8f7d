/** Latency of every call: a heatmap with percentiles, calls and errors under it, and a box of calls drawn by mouse or keys. */
import type { ComponentChildren } from 'preact';
import { useCallback, useMemo } from 'preact/hooks';
import type { Common, HeatmapData, Series } from '../api/types.ts';
import { type Box, type Selection, boxOf, cellsOf, firstCells, moved, selectionOf } from '../draw/box.ts';
import type { Marker } from '../draw/heatmap.ts';
import { useQuery } from '../state/query.ts';
import * as f from '../text/format.ts';
import { later } from './later.tsx';
import { Panel } from './panel.tsx';

/** What draws them is the heaviest part of a page. */
const Heat = later(() => import('./heat.tsx'), 252);
const Volume = later(() => import('./volume.tsx'), 84);

export interface Latencies {
  series: Series;
  heatmap: HeatmapData;
  window: Common['window'];
}

interface Props {
  data: Latencies;
  title: string;
  sub: ComponentChildren;
  noun: string;
  count: number;
  errors: number;
  box: Selection | null;
  select: (box: Box | null) => void;
  markers?: Marker[];
  children?: ComponentChildren;
}

/** The box that is drawn, kept in the address so that it is there again when one comes back. */
export function useBox(data: Latencies): [Selection | null, (box: Box | null) => void] {
  const query = useQuery();
  const text = query.get('box');
  const box = useMemo(() => {
    const [from, to, lowMs, highMs] = text.split('~').map(Number);
    return [from, to, lowMs, highMs].every(Number.isFinite) && text.includes('~')
      ? selectionOf(data, { from: from!, to: to!, lowMs: lowMs!, highMs: highMs! })
      : null;
  }, [text, data]);
  const select = useCallback((next: Box | null) => {
    const said = next && [next.from, next.to, next.lowMs, next.highMs].join('~');
    query.set({ box: said }, { replace: true });
  }, []);
  return [box, select];
}

export function Latency({ data, title, sub, noun, count, errors, box, select, markers, children }: Props) {
  const input = useMemo(
    () => ({ series: data.series, heatmap: data.heatmap, from: data.window.from, to: data.window.to, markers: markers ?? [] }),
    [data],
  );
  const { series } = data;
  const known = series.p95_ms.filter((value): value is number => value !== null);
  const summary = known.length
    ? `Latency heatmap with percentiles. p95 from ${f.ms(Math.min(...known))} to ${f.ms(Math.max(...known))}, last ${f.ms(known.at(-1))}.`
    : `Latency heatmap, no ${noun}s.`;
  const told = (markers ?? []).map(({ at, name }) => ` Release ${f.tame(name, 40)} first seen ${f.clock(at)}.`).join('');
  const keys = (event: KeyboardEvent) => {
    if (!event.key.startsWith('Arrow') || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const cells = box && cellsOf(data, box);
    const next = cells ? moved(data, cells, event.key, event.shiftKey) : firstCells(data);
    if (next) select(boxOf(data, next));
  };
  return (
    <Panel id="latency" title={title} sub={sub} tools={<HeatLegend />}>
      <div
        class="heat"
        role="application"
        aria-label={`${title}: arrow keys draw and move a box, with Shift they make it larger, Escape clears it`}
        tabIndex={0}
        onKeyDown={keys}
      >
        <Heat input={input} label={summary + told} box={box} select={select} />
      </div>
      <Volume
        input={input}
        label={`${noun[0]!.toUpperCase()}${noun.slice(1)}s and errors per minute. ${f.plural(errors, 'error')} in ${f.plural(count, noun)}.`}
        box={box}
      />
      <span class="chart-note legend">
        <span>
          <i class="swatch volume" />
          {noun}s per minute
        </span>
        <span>
          <i class="swatch errors" />
          errors
        </span>
        <span class="faint keys-note">
          <kbd>← ↑ ↓ →</kbd> draw a box, <kbd>Shift</kbd> larger, <kbd>Esc</kbd> clear
        </span>
      </span>
      {children}
      <AsTable series={series} />
    </Panel>
  );
}

function HeatLegend() {
  return (
    <span class="legend">
      <span>
        <i class="line" />
        p50
      </span>
      <span>
        <i class="line p95" />
        p95
      </span>
      <span>
        <i class="line p99" />
        p99
      </span>
      <span class="ramp">
        few
        <i />
        <i />
        <i />
        <i />
        <i />
        <i />
        many
      </span>
    </span>
  );
}

/** The parameters that narrow Traces to a box. */
export const inBox = (box: Box) => ({
  range: null,
  live: null,
  from: Math.floor(box.from),
  to: Math.ceil(box.to),
  min_ms: box.lowMs,
  max_ms: box.highMs,
});

/** The same figures for who cannot see a canvas, a dozen rows of them. */
function AsTable({ series }: { series: Series }) {
  const step = Math.max(1, Math.ceil(series.t.length / 12));
  return (
    <details class="as-table">
      <summary>As a table</summary>
      <div class="scroll" role="group" aria-label="Latency over time" tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col">From</th>
              <th scope="col" class="right">
                Calls
              </th>
              <th scope="col" class="right">
                Errors
              </th>
              <th scope="col" class="right">
                p50
              </th>
              <th scope="col" class="right">
                p95
              </th>
              <th scope="col" class="right">
                p99
              </th>
            </tr>
          </thead>
          <tbody>
            {series.t.map(
              (t, i) =>
                i % step === 0 && (
                  <tr key={t}>
                    <td>{f.moment(t)}</td>
                    <td class="right">{f.whole(series.count[i] ?? 0)}</td>
                    <td class="right">{f.whole(series.errors[i] ?? 0)}</td>
                    <td class="right">{f.ms(series.p50_ms[i])}</td>
                    <td class="right">{f.ms(series.p95_ms[i])}</td>
                    <td class="right">{f.ms(series.p99_ms[i])}</td>
                  </tr>
                ),
            )}
          </tbody>
        </table>
      </div>
    </details>
  );
}
