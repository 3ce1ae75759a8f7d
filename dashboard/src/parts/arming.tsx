/** "Measure the next n requests of this endpoint": asked for here, followed until it is done, expired or cancelled. */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { type ApiError, ask } from '../api/client.ts';
import { type Arm, type ArmsAnswer, CAPTURE_NAMES, type Capture } from '../api/memory.ts';
import { send } from '../api/send.ts';
import * as f from '../text/format.ts';
import { Arms } from './armed.tsx';
import { Icon } from './icon.tsx';
import { Segments } from './panel.tsx';

const EACH_MS = 2000;
/** A result is written a moment after it is counted as done: so long it is looked for. */
const WRITTEN_MS = 10_000;
const MOST = 100;
const LIVES = [
  { seconds: 600, title: '10 minutes' },
  { seconds: 3600, title: '1 hour' },
  { seconds: 86_400, title: '1 day' },
];
const TIPS: Record<Capture, string> = {
  cprofile:
    'Every call counted and timed: callers and callees. Slows the measured requests down, most where functions are small.',
  lines: 'Hits and time of each line of its hottest own functions, as they were sampled in the last 24 hours.',
  memory:
    'What it allocates and leaves alive: by line, by type, and who holds it. Meanwhile code that allocates much, such as a tight loop over numbers, runs up to a hundred times slower, and so do others in that process: it is given up after 5 s.',
};

interface Props {
  name: string;
  service: string;
  captures?: Capture[];
  /** there are more results than before */
  told?: () => void;
}

export function Arming({ name, service, captures = ['cprofile', 'lines', 'memory'], told }: Props) {
  const [capture, choose] = useState<Capture>(captures[0]!);
  const [count, setCount] = useState('3');
  const [life, setLife] = useState(LIVES[0]!.seconds);
  const [busy, setBusy] = useState(false);
  const [refused, refuse] = useState<string | null>(null);
  const [said, say] = useState('');
  const { arms, error, look } = useArms(name, captures, told);
  const arm = async (event: Event) => {
    event.preventDefault();
    if (busy) return;
    const wanted = Number(count);
    if (!Number.isInteger(wanted) || wanted < 1 || wanted > MOST) {
      refuse(`${f.tame(count, 20) || 'Nothing'} is not a whole number from 1 to ${MOST}.`);
      return;
    }
    setBusy(true);
    refuse(null);
    try {
      await send('arms', { endpoint: name, capture, count: wanted, seconds: life, ...(service ? { service } : {}) });
      say(`Armed: ${CAPTURE_NAMES[capture]} of the next ${f.plural(wanted, 'request')}.`);
    } catch (failure) {
      refuse((failure as ApiError).message);
    }
    setBusy(false);
    look();
  };
  const cancel = async (one: Arm) => {
    try {
      await send('arms', { cancel: one.id });
      say('Cancelled. What was measured stays.');
    } catch (failure) {
      refuse((failure as ApiError).message);
    }
    look(one.id);
  };
  return (
    <div class="arming">
      <form class="row" onSubmit={arm}>
        {captures.length > 1 && (
          <Segments
            label="What to measure"
            options={captures.map((id) => ({ id, title: CAPTURE_NAMES[id], tip: TIPS[id] }))}
            current={capture}
            select={choose}
          />
        )}
        <label class="row">
          <span class="muted">of the next</span>
          <input
            class="count num"
            type="number"
            min={1}
            max={MOST}
            value={count}
            aria-label="How many requests"
            onInput={(event) => setCount(event.currentTarget.value)}
          />
          <span class="muted">requests, within</span>
        </label>
        <label class="pick">
          <select aria-label="Give up after" value={life} onChange={(event) => setLife(Number(event.currentTarget.value))}>
            {LIVES.map((one) => (
              <option key={one.seconds} value={one.seconds}>
                {one.title}
              </option>
            ))}
          </select>
          <Icon name="down" />
        </label>
        <button type="submit" class="button primary" aria-disabled={busy} data-tip={TIPS[capture]}>
          {busy ? 'Arming…' : 'Arm'}
        </button>
      </form>
      <p class="muted hint">{TIPS[capture]}</p>
      {(refused ?? error) && (
        <p class="refusal" role="alert">
          {f.tame(refused ?? error ?? '', 500)}
        </p>
      )}
      <p class="sr-only" role="status">
        {said}
      </p>
      <Arms arms={arms} cancel={cancel} />
    </div>
  );
}

export interface Followed extends Arm {
  /** it was seen here and is in the list no more */
  gone?: 'expired' | 'cancelled';
}

/** The arms of an endpoint, looked at again and again while one waits; those that went while one looked stay to be read. */
function useArms(name: string, captures: Capture[], told?: () => void) {
  const [arms, set] = useState<Followed[]>([]);
  const [error, setError] = useState<string | null>(null);
  const [turn, next] = useState(0);
  const cancelled = useRef(new Set<string>());
  const done = useRef<number | null>(null);
  const until = useRef(0);
  const tell = useRef(told);
  tell.current = told;
  useEffect(() => {
    const abort = new AbortController();
    let timer = 0;
    const look = () =>
      ask<ArmsAnswer>(`arms?name=${encodeURIComponent(name)}`, abort.signal)
        .then((answer) => {
          const listed = answer.arms.filter((one) => captures.includes(one.capture));
          setError(null);
          set((old) => [...listed, ...left(old, listed, cancelled.current)]);
          const sum = listed.reduce((all, one) => all + one.done, 0);
          if (done.current !== null && sum > done.current) until.current = Date.now() + WRITTEN_MS;
          done.current = sum;
          const comes = Date.now() < until.current;
          if (comes) tell.current?.();
          if (comes || listed.some((one) => one.state === 'armed')) timer = window.setTimeout(look, EACH_MS);
        })
        .catch((failure: ApiError) => {
          if (!abort.signal.aborted) setError(failure.message);
        });
    look();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [name, turn]);
  const look = useCallback((id?: string) => {
    if (id) cancelled.current.add(id);
    next((n) => n + 1);
  }, []);
  return { arms, error, look };
}

const left = (old: Followed[], listed: Arm[], cancelled: Set<string>): Followed[] =>
  old
    .filter((one) => !listed.some((other) => other.id === one.id))
    .map((one) => ({ ...one, gone: cancelled.has(one.id) ? 'cancelled' : 'expired' }));
