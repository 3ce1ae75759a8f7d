/** The query string as components see it: watched, changed in place, and links made from it. */
import { saved } from './saved.ts';
import { Signal, useSignal } from './signal.ts';
import { type Changes, changed, link } from './url.ts';

const search = new Signal(saved ? saved.search : location.search);
addEventListener('popstate', () => search.set(location.search));

export interface Query {
  search: string;
  get: (name: string) => string;
  /** changes this page's state; `replace` leaves no step in the history */
  set: (changes: Changes, options?: { replace?: boolean }) => void;
  link: (page: string, parameters?: Changes) => string;
}

export function useQuery(): Query {
  const current = useSignal(search);
  return {
    search: current,
    get: (name) => new URLSearchParams(current).get(name) ?? '',
    set: setQuery,
    link: (page, parameters) => link(current, page, parameters),
  };
}

export function setQuery(changes: Changes, { replace = false } = {}): void {
  if (saved) {
    search.set(changed(search.value, changes)); // a file has one address
    return;
  }
  go(location.pathname + changed(location.search, changes), replace);
}

/** Moves to a link: in place where it is this very page, so that nothing is loaded twice. */
export function go(href: string, replace = false): void {
  if (saved) return; // there is nothing beside it
  const target = new URL(href, document.baseURI);
  if (target.pathname !== location.pathname || target.origin !== location.origin) {
    location.assign(target);
    return;
  }
  history[replace ? 'replaceState' : 'pushState'](null, '', target);
  search.set(target.search);
}

/** Lets plain links to this very page change its state instead of loading it anew. */
export function followLinks(): void {
  document.addEventListener('click', (event) => {
    if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const anchor = (event.target as Element).closest('a');
    if (!anchor || anchor.hasAttribute('download') || anchor.target || anchor.hash) return;
    if (anchor.origin !== location.origin || anchor.pathname !== location.pathname) return;
    event.preventDefault();
    go(anchor.href);
  });
}
