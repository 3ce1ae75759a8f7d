/** A change in milliseconds: signed, and drawn as a bar that leaves the middle to the right for more, to the left for less. */
import * as f from '../text/format.ts';

/** Red and green only where the change is more than chance. */
export function Signed({ ms, sure = true }: { ms: number | null; sure?: boolean }) {
  if (ms === null) return <span class="faint">{f.NONE}</span>;
  const tone = !sure || !ms ? 'flat' : ms > 0 ? 'bad' : 'good';
  return <span class={`change ${tone}`}>{f.signed(ms)}</span>;
}

export function Diverging({ ms, most, sure = true }: { ms: number | null; most: number; sure?: boolean }) {
  const half = most ? Math.min(50, (50 * Math.abs(ms ?? 0)) / most) : 0;
  const left = (ms ?? 0) > 0 ? 50 : 50 - half;
  return (
    <span class="diverging" aria-hidden="true">
      {half > 0 && (
        <i
          class={`${(ms ?? 0) > 0 ? 'up' : 'down'} ${sure ? '' : 'unsure'}`}
          style={{ left: `${left}%`, width: `max(2px, ${half}%)` }}
        />
      )}
    </span>
  );
}
