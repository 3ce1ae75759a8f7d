/** A flame graph with its search and its way back, read out as one moves. */
import type { ComponentChildren } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { theme } from '../state/prefs.ts';
import { useSignal } from '../state/signal.ts';
import * as f from '../text/format.ts';
import { Icon } from '../parts/icon.tsx';
import { FlameCanvas } from './flame-canvas.ts';
import type { FlameTree } from './flame-layout.ts';
import { withoutPlumbing } from './trees.ts';

/** So few outer frames are not worth hiding. */
const FEW = 4;

/** `legend` says what colours mean where they are not whose code it is. */
export function Flame({ tree, note, legend = <Whose /> }: { tree: FlameTree; note: string; legend?: ComponentChildren }) {
  const host = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const tip = useRef<HTMLDivElement>(null);
  const flame = useRef<FlameCanvas | null>(null);
  const [wanted, setWanted] = useState('');
  const [spoken, setSpoken] = useState('');
  const [zoomed, setZoomed] = useState(false);
  const [whole, setWhole] = useState(false);
  const colours = useSignal(theme);
  const short = useMemo(() => withoutPlumbing(tree), [tree]);
  const folds = short.hidden >= FEW;
  const shown = folds && !whole ? short.tree : tree;

  useEffect(() => {
    const drawn = new FlameCanvas(host.current!, canvas.current!, tip.current!);
    drawn.onDescribe = setSpoken;
    drawn.onZoom = setZoomed;
    flame.current = drawn;
    return () => drawn.destroy();
  }, []);
  useEffect(() => flame.current?.show(shown), [shown]);
  useEffect(() => flame.current?.draw(), [colours]);
  const matched = useMemo(() => flame.current?.search(wanted) ?? 0, [wanted, shown]);

  return (
    <div class="flame">
      <div class="flamebar">
        {legend}
        <span class="sub">{note} Press a frame to zoom.</span>
        <span class="tools">
          {folds && (
            <button
              type="button"
              class="button"
              onClick={() => setWhole(!whole)}
              data-tip="Outer frames of the server and the framework that every sample shares"
            >
              {whole ? 'Hide' : 'Show'} {f.whole(short.hidden)} outer frames
            </button>
          )}
          {zoomed && (
            <button type="button" class="button" onClick={() => flame.current?.zoom(0)}>
              All samples <kbd>Esc</kbd>
            </button>
          )}
          {wanted && <span class="chip info">{f.percent(matched)} matched</span>}
          <label class="search">
            <Icon name="search" />
            <span class="sr-only">Search frames</span>
            <input
              type="search"
              placeholder="Search frames"
              data-flame-search
              value={wanted}
              onInput={(event) => setWanted(event.currentTarget.value)}
            />
            <kbd>f</kbd>
          </label>
        </span>
      </div>
      <div class="flamehost" ref={host}>
        <canvas
          ref={canvas}
          tabIndex={0}
          role="application"
          aria-label={`Flame graph of ${f.plural(shown.parent.length, 'frame')}. Arrow keys move, Enter zooms in, Escape zooms out.`}
        />
        <div class="tip" ref={tip} hidden />
        <span class="sr-only" aria-live="polite">
          {spoken}
        </span>
      </div>
    </div>
  );
}

function Whose() {
  return (
    <span class="legend">
      <span>
        <i class="swatch fl-app" />
        your code
      </span>
      <span>
        <i class="swatch fl-lib" />
        libraries
      </span>
      <span>
        <i class="swatch fl-std" />
        Python itself
      </span>
    </span>
  );
}
