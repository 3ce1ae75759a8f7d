/** One API answer as a component sees it: loading, old while new comes, failed, refreshed while live. */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { useQuery } from '../state/query.ts';
import { type Changes, apiQuery } from '../state/url.ts';
import { type ApiError, ask, begin } from './client.ts';

const QUIET_MS = 150;
const LIVE_MS = 2000;

export interface Answer<T> {
  data: T | null;
  error: ApiError | null;
  /** waiting for longer than one would notice */
  slow: boolean;
  reload: () => void;
  path: string;
}

export interface Options<T> {
  /** the parameters are not known yet, so do not ask */
  skip?: boolean;
  /** never refreshed by Live */
  still?: boolean;
  /** how to ask, where one question takes more than one answer */
  by?: (path: string, signal: AbortSignal) => Promise<T>;
}

/** Asks `question` with the page's range and filters, and `parameters`. */
export function useAnswer<T>(
  question: string,
  parameters: Changes = {},
  { skip = false, still = false, by = ask<T> }: Options<T> = {},
): Answer<T> {
  const query = useQuery();
  const path = question + apiQuery(query.search, parameters);
  const live = !still && query.get('live') === '1';
  const [state, setState] = useState<{ path: string; data: T | null; error: ApiError | null }>({
    path: '',
    data: null,
    error: null,
  });
  const [slow, setSlow] = useState(false);
  const [turn, setTurn] = useState(0);
  const asking = useRef(false);

  useEffect(() => {
    if (skip) return;
    const abort = new AbortController();
    const end = begin();
    const timer = setTimeout(() => setSlow(true), QUIET_MS);
    asking.current = true;
    by(path, abort.signal)
      .then((data) => setState({ path, data, error: null }))
      .catch((error: ApiError) => {
        if (!abort.signal.aborted) setState((old) => ({ path, data: old.path === path ? old.data : null, error }));
      })
      .finally(() => {
        clearTimeout(timer);
        if (!abort.signal.aborted) setSlow(false);
        asking.current = false;
        end();
      });
    return () => {
      abort.abort();
      clearTimeout(timer);
      end();
    };
  }, [path, turn, skip]);

  useEffect(() => {
    if (!live || skip) return;
    const abort = new AbortController();
    const timer = setInterval(() => {
      if (asking.current || document.hidden) return;
      asking.current = true;
      by(path, abort.signal)
        .then((data) => setState({ path, data, error: null }))
        .catch((error: ApiError) => {
          if (!abort.signal.aborted) setState((old) => ({ ...old, error }));
        })
        .finally(() => {
          asking.current = false;
        });
    }, LIVE_MS);
    return () => {
      clearInterval(timer);
      abort.abort();
    };
  }, [live, path, skip]);

  const reload = useCallback(() => setTurn((n) => n + 1), []);
  return { data: state.data, error: state.error, slow, reload, path };
}
