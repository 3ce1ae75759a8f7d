/** Watches what is in flight: asks the processes to tell, and reads what they tell, once a second until it is paused. */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { type ApiError, ask, begin } from '../../api/client.ts';
import type { Asked, Capture, LiveAnswer } from '../../api/live.ts';
import { send } from '../../api/send.ts';

const EACH_MS = 1000;
/** One asking lasts five seconds. */
const ASK_AGAIN_MS = 2000;
const CAPTURED_S = 5;

export interface Watched {
  data: LiveAnswer | null;
  error: ApiError | null;
  paused: boolean;
  pause: (paused: boolean) => void;
  capture: Capture | null;
  /** a capture is on its way */
  busy: boolean;
  refused: ApiError | null;
  film: () => void;
  retry: () => void;
}

export function useWatch(): Watched {
  const [data, setData] = useState<LiveAnswer | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [paused, pause] = useState(false);
  const [capture, setCapture] = useState<Capture | null>(null);
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<ApiError | null>(null);
  const [turn, setTurn] = useState(0);
  /** the capture to ask after, while one runs */
  const wanted = useRef('');

  useEffect(() => {
    if (paused && !busy) return;
    const abort = new AbortController();
    const end = begin();
    let asked = 0;
    let timer = 0;
    const look = async () => {
      const began = Date.now();
      try {
        if (began - asked >= ASK_AGAIN_MS) {
          await send<Asked>('live', {});
          asked = began;
        }
        const id = wanted.current;
        const found = await ask<LiveAnswer>(id ? `live?capture=${id}` : 'live', abort.signal);
        if (abort.signal.aborted) return;
        if (!paused) setData(found);
        setError(null);
        if (found.capture && id === wanted.current) {
          setCapture(found.capture);
          if (found.capture.done) {
            wanted.current = '';
            setBusy(false);
          }
        }
      } catch (failure) {
        if (abort.signal.aborted) return;
        setError(failure as ApiError);
        wanted.current = '';
        setBusy(false);
      }
      end();
      timer = window.setTimeout(next, Math.max(100, EACH_MS - (Date.now() - began)));
    };
    const next = () => {
      // nobody looks: nobody need tell
      if (document.hidden) timer = window.setTimeout(next, EACH_MS);
      else void look();
    };
    void look();
    return () => {
      abort.abort();
      clearTimeout(timer);
      end();
    };
  }, [paused, busy && paused, turn]);

  const film = useCallback(async () => {
    setBusy(true);
    setRefused(null);
    setCapture(null);
    try {
      const { capture: made } = await send<Asked>('live', { capture: CAPTURED_S });
      wanted.current = made!.id;
    } catch (failure) {
      setRefused(failure as ApiError);
      setBusy(false);
    }
  }, []);
  const retry = useCallback(() => setTurn((n) => n + 1), []);
  return { data, error, paused, pause, capture, busy, refused, film, retry };
}
