/** A range of one's own: from and to, in the reader's time zone. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { useQuery } from '../state/query.ts';
import { RANGES } from '../state/url.ts';
import * as f from '../text/format.ts';

const local = (seconds: number): string => `${f.day(seconds)}T${f.clock(seconds)}`;
const seconds = (text: string): number => Math.floor(new Date(text).getTime() / 1000);
const parse = (text: string): number => (/^\d+(\.\d+)?$/.test(text) ? Number(text) : Date.parse(text) / 1000);

export function CustomRange() {
  const query = useQuery();
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const [from, to] = [query.get('from'), query.get('to')];
  useEffect(() => {
    if (!open) return;
    box.current?.querySelector('input')?.focus();
    const close = (event: Event) => {
      if (event instanceof KeyboardEvent ? event.key === 'Escape' : !box.current?.parentElement?.contains(event.target as Node))
        setOpen(false);
    };
    addEventListener('keydown', close);
    addEventListener('pointerdown', close);
    return () => {
      removeEventListener('keydown', close);
      removeEventListener('pointerdown', close);
    };
  }, [open]);
  const now = Date.now() / 1000;
  const apply = (event: Event) => {
    event.preventDefault();
    const data = new FormData(event.currentTarget as HTMLFormElement);
    const [start, end] = [seconds(String(data.get('from'))), seconds(String(data.get('to')))];
    if (!(start < end)) return;
    query.set({ from: start, to: end, range: null });
    setOpen(false);
  };
  const text = from ? `${f.moment(parse(from)).slice(0, -3)} to ${to ? f.moment(parse(to)).slice(0, -3) : 'now'}` : 'Custom';
  return (
    <div class="popover-host">
      <button type="button" class={`button ${from ? 'set' : ''}`} aria-expanded={open} onClick={() => setOpen(!open)}>
        {text}
      </button>
      {open && (
        <div class="popover" ref={box} role="dialog" aria-label="Custom range">
          <form onSubmit={apply}>
            <label>
              From <input type="datetime-local" name="from" required value={local(from ? parse(from) : now - 3600)} />
            </label>
            <label>
              To <input type="datetime-local" name="to" required value={local(to ? parse(to) : now)} />
            </label>
            <button type="submit" class="button primary">
              Show
            </button>
            {from && (
              <button
                type="button"
                class="button"
                onClick={() => {
                  query.set({ from: null, to: null, range: RANGES[1] });
                  setOpen(false);
                }}
              >
                Back to 1h
              </button>
            )}
          </form>
        </div>
      )}
    </div>
  );
}
