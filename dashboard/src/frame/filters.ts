/** What the frame knows of the store: what can be picked, and how much of everything there is. */
import { useEffect } from 'preact/hooks';
import { ask } from '../api/client.ts';
import type { FiltersAnswer } from '../api/groups.ts';
import { useQuery } from '../state/query.ts';
import { Signal } from '../state/signal.ts';
import { apiQuery } from '../state/url.ts';

const LIVE_MS = 2000;

export const filters = new Signal<FiltersAnswer | null>(null);

/** Asked when the page stands, and again while it is live. */
export function useFilters(): void {
  const query = useQuery();
  const path = `filters${apiQuery(query.search, {})}`;
  const live = query.get('live') === '1';
  useEffect(() => {
    const abort = new AbortController();
    let timer = 0;
    const look = (): void => {
      const again = () => {
        if (live && !abort.signal.aborted) timer = window.setTimeout(look, LIVE_MS);
      };
      if (document.hidden && filters.value) again();
      else
        ask<FiltersAnswer>(path, abort.signal)
          .then((answer) => filters.set(answer))
          .catch(() => {}) // the page itself says what is wrong
          .finally(again);
    };
    // the page's own questions come first
    const begin = (): void => {
      if (document.documentElement.dataset['ready']) look();
      else timer = window.setTimeout(begin, 50);
    };
    begin();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [path, live]);
}
