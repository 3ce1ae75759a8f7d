/** Which rows of a long list are in view, so that no page ever holds ten thousand of them. */
import { useLayoutEffect, useRef, useState } from 'preact/hooks';

export const VIRTUAL_ABOVE = 500;
const SPARE = 12;

export interface Slice {
  first: number;
  last: number;
  above: number;
  below: number;
}

/** The rows between `top` and `bottom`, measured from the list's own top, and the space the others would take. */
export function slice(count: number, height: number, top: number, bottom: number): Slice {
  if (count <= VIRTUAL_ABOVE) return { first: 0, last: count, above: 0, below: 0 };
  const first = Math.min(count, Math.max(0, Math.floor(top / height) - SPARE));
  const last = Math.min(count, Math.max(first, Math.ceil(bottom / height) + SPARE));
  return { first, last, above: first * height, below: (count - last) * height };
}

/** Follows the window's scrolling; `host` holds the rows, each `height` high. */
export function useSlice(count: number, height: number) {
  const host = useRef<HTMLElement | null>(null);
  const measure = () => {
    const top = host.current ? -host.current.getBoundingClientRect().top : 0;
    return slice(count, height, top, top + innerHeight);
  };
  const [current, set] = useState(() => slice(count, height, 0, innerHeight));
  useLayoutEffect(() => {
    const update = () =>
      set((old) => {
        const next = measure();
        return old.first === next.first && old.last === next.last && old.below === next.below ? old : next;
      });
    update();
    if (count <= VIRTUAL_ABOVE) return;
    addEventListener('scroll', update, { passive: true });
    addEventListener('resize', update);
    return () => {
      removeEventListener('scroll', update);
      removeEventListener('resize', update);
    };
  }, [count, height]);
  /** Brings a row into view, drawn or not. */
  const reveal = (index: number) => {
    if (!host.current) return;
    const top = host.current.getBoundingClientRect().top + index * height;
    const roof = 70;
    if (top < roof) scrollBy(0, top - roof);
    else if (top + height > innerHeight) scrollBy(0, top + height - innerHeight);
  };
  return { host, slice: count <= VIRTUAL_ABOVE ? { first: 0, last: count, above: 0, below: 0 } : current, reveal };
}
