/** The keys that work on every page. */
import { useEffect } from 'preact/hooks';
import { PAGES } from '../pages.ts';
import { toggleTheme } from '../state/prefs.ts';
import { go, setQuery } from '../state/query.ts';
import { DEFAULT_RANGE, RANGES, link } from '../state/url.ts';

export const KEYS: [keys: string, meaning: string][] = [
  ['/', 'find an endpoint or a trace'],
  ...PAGES.flatMap((page): [string, string][] => (page.rail ? [[`g ${page.rail.key}`, `go to ${page.title}`]] : [])),
  ['t', 'next longer range, from 7d back to 15m'],
  ['s', 'order of the table: ← → and Enter'],
  ['d', 'light or dark'],
  ['j k ↓ ↑', 'move in a table or a timeline'],
  ['Enter', 'open what is marked'],
  ['x', 'mark two endpoints to compare them'],
  ['Space', 'pause what is in flight'],
  ['← →', 'fold and unfold in the timeline'],
  ['Shift ← ↑ ↓ →', 'make the box on the focused heatmap larger; arrows alone draw and move it'],
  ['[ ]', 'faster or slower trace of the same endpoint'],
  ['f', 'search the flame graph'],
  ['y', 'copy path:line of the focused line or the marked span'],
  ['e', 'export'],
  ['c', 'copy as curl or as a test'],
  ['Esc', 'clear or close'],
  ['?', 'this list'],
];

export const typing = (event: KeyboardEvent): boolean =>
  event.ctrlKey ||
  event.metaKey ||
  event.altKey ||
  (event.target as Element).matches?.('input, select, textarea, [contenteditable]');

export function useKeys(help: () => void): void {
  useEffect(() => {
    let afterG = 0;
    const press = (event: KeyboardEvent) => {
      if (event.defaultPrevented) return;
      if (typing(event)) {
        if (event.key === 'Escape') (event.target as HTMLElement).blur();
        return;
      }
      const page = Date.now() - afterG < 1200 ? PAGES.find(({ rail }) => rail?.key === event.key) : undefined;
      afterG = 0;
      if (page) go(link(location.search, page.id));
      else if (event.key === 'g') afterG = Date.now();
      else if (event.key === '/') focus('[data-main-search]');
      else if (event.key === 'f' && document.querySelector('[data-flame-search]')) focus('[data-flame-search]');
      else if (event.key === 't') nextRange();
      else if (event.key === 's') ORDERS.some(focus);
      else if (event.key === 'd') toggleTheme();
      else if (event.key === '?') help();
      else if ((event.key === 'j' || event.key === 'k') && event.target === document.body)
        focus('tr[data-row][tabindex="0"], [role=row][tabindex="0"]');
      else return;
      event.preventDefault();
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, []);
}

/** Where a table's order is chosen, the best place first; one selector would find the first in the document. */
const ORDERS = ['[data-order] [aria-pressed=true]', '[data-order] button', 'th button'];

export function focus(selector: string): boolean {
  const found = document.querySelector<HTMLElement>(selector);
  found?.focus();
  return found !== null;
}

function nextRange(): void {
  const current = new URLSearchParams(location.search).get('range') ?? DEFAULT_RANGE;
  const at = RANGES.findIndex((range) => range === current);
  setQuery({ range: RANGES[(at + 1) % RANGES.length], from: null, to: null });
}
