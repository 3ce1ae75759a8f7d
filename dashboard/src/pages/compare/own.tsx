/** A side that is in no list: from one moment to another, or one trace by its id. */
import { useEffect, useRef, useState } from 'preact/hooks';
import * as f from '../../text/format.ts';

const local = (seconds: number): string => `${f.day(seconds)}T${f.clock(seconds)}`;
const seconds = (text: string): number => Math.floor(new Date(text).getTime() / 1000);
const ID = /^[0-9a-f]{1,16}$/;

export function Own({
  kind,
  title,
  use,
  close,
}: {
  kind: 'range' | 'trace';
  title: string;
  use: (label: string) => void;
  close: () => void;
}) {
  const form = useRef<HTMLFormElement>(null);
  const [wrong, setWrong] = useState('');
  useEffect(() => form.current?.querySelector('input')?.focus(), []);
  const now = Date.now() / 1000;
  const apply = (event: Event) => {
    event.preventDefault();
    const data = new FormData(form.current!);
    if (kind === 'trace') {
      const id = String(data.get('id')).trim().toLowerCase();
      if (ID.test(id)) use(`tx:${id}`);
      else setWrong('The id of a trace is up to 16 of the digits 0 to 9 and a to f; a trace page shows it.');
      return;
    }
    const [from, to] = [seconds(String(data.get('from'))), seconds(String(data.get('to')))];
    if (from < to) use(`range:${from}..${to}`);
    else setWrong('The end is not after the begin.');
  };
  return (
    <form
      class="own-side"
      ref={form}
      onSubmit={apply}
      onKeyDown={(event) => event.key === 'Escape' && close()}
      aria-label={`${title}: ${kind === 'trace' ? 'one trace' : 'a time of its own'}`}
    >
      <b>{title}</b>
      {kind === 'trace' ? (
        <label>
          Id of the trace <input type="text" name="id" class="mono" required autocomplete="off" spellcheck={false} />
        </label>
      ) : (
        <>
          <label>
            From <input type="datetime-local" name="from" required value={local(now - 7200)} />
          </label>
          <label>
            To <input type="datetime-local" name="to" required value={local(now - 3600)} />
          </label>
        </>
      )}
      <button type="submit" class="button primary">
        Compare
      </button>
      <button type="button" class="button" onClick={close}>
        Cancel
      </button>
      {wrong && (
        <p class="refusal" role="alert">
          {wrong}
        </p>
      )}
    </form>
  );
}
