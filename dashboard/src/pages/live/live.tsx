/** In flight: what is running right now, and where is it stuck? */
import { useEffect, useRef } from 'preact/hooks';
import type { Flight, LiveAnswer } from '../../api/live.ts';
import { typing } from '../../frame/keys.ts';
import { Icon } from '../../parts/icon.tsx';
import { Panel } from '../../parts/panel.tsx';
import { Empty, Failure } from '../../parts/states.tsx';
import { Table } from '../../parts/table.tsx';
import { useQuery } from '../../state/query.ts';
import * as f from '../../text/format.ts';
import { Film } from './film.tsx';
import { flightColumns } from './rows.tsx';
import { Stack } from './stack.tsx';
import { type Watched, useWatch } from './watch.ts';
import { Workers } from './workers.tsx';

export default function Live() {
  const watched = useWatch();
  const { data, error, paused, pause, retry } = watched;
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.key !== ' ' || event.defaultPrevented || typing(event)) return;
      if ((event.target as Element).closest?.('button, a, summary, canvas')) return;
      event.preventDefault();
      pause(!paused);
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, [paused]);
  if (!data)
    return (
      <Panel id="live" level={1} title="In flight" sub={error ? undefined : 'asking every worker'}>
        {error && <Failure error={error} what="what is in flight" retry={retry} />}
      </Panel>
    );
  return <Content data={data} watched={watched} />;
}

function Content({ data, watched }: { data: LiveAnswer; watched: Watched }) {
  const query = useQuery();
  const { error, paused, pause, busy, film, refused, retry } = watched;
  const open = query.get('open');
  const rows = data.in_flight;
  const hrefOf = (row: Flight) => query.link('live', { open: row.id });
  const chosen = rows.find((row) => row.id === open);
  // what was chosen and has ended keeps its last stack on the page
  const last = useRef<Flight | null>(null);
  if (chosen) last.current = chosen;
  const shown = chosen ?? (last.current?.id === open ? last.current : null);
  const workers = data.processes.filter((process) => process.answers).length;
  useEffect(() => {
    document.title = `${f.whole(rows.length)} in flight · apm-agent`;
  }, [rows.length]);
  return (
    <>
      <Panel
        id="live"
        level={1}
        title="In flight"
        sub={
          <span role="status" aria-live="off">
            {f.plural(rows.length, 'transaction')} in {f.plural(workers, 'worker')}
            {paused
              ? `, paused ${data.asked_until === null ? '' : `at ${f.clock(data.asked_until - 5, true)}`}`
              : ', asked each second'}
          </span>
        }
        tools={
          <>
            <button
              type="button"
              class="button"
              aria-pressed={paused}
              onClick={() => pause(!paused)}
              data-tip={paused ? 'Go on asking each second. Key: Space' : 'Keep what is shown. Key: Space'}
            >
              <Icon name={paused ? 'play' : 'pause'} />
              {paused ? 'Go on' : 'Pause'} <kbd>Space</kbd>
            </button>
            <button
              type="button"
              class="button primary"
              aria-disabled={busy}
              onClick={() => !busy && film()}
              data-tip="A flame graph of what every worker runs in the next 5 seconds, also of what has not ended by then"
            >
              {busy ? 'Capturing…' : 'Capture 5 s profile'}
            </button>
            <a class="button" href="api/v1/live">
              JSON
            </a>
          </>
        }
      >
        {(error ?? refused) && (
          <Failure error={(error ?? refused)!} what="what is in flight" retry={refused ? film : retry} old />
        )}
        {rows.length > 0 ? (
          <Table
            label="In flight, oldest first; arrow keys move, Enter shows the stack"
            columns={flightColumns(query, shown?.id ?? '')}
            rows={rows}
            keyOf={(row) => `${row.host} ${row.pid} ${row.id}`}
            hrefOf={hrefOf}
            height={46}
          />
        ) : (
          <Nothing data={data} />
        )}
      </Panel>
      {open && <Stack row={shown} ended={!chosen} close={() => query.set({ open: null }, { replace: true })} />}
      <Film watched={watched} />
      <Workers rows={data.processes} />
    </>
  );
}

function Nothing({ data }: { data: LiveAnswer }) {
  if (data.store.written_at === null)
    return <Empty common={{ ...data, window: { from: 0, to: 0, range: null } }} noun="transactions" />;
  const { recent } = data;
  return (
    <div class="empty">
      <h2>Nothing is in flight</h2>
      <p>
        {recent.count
          ? `${f.rate(recent.per_min)} a minute ended in the last ${f.whole(recent.minutes)} min (${f.plural(recent.count, 'call')}${recent.errors ? `, ${f.plural(recent.errors, 'error')}` : ''}). `
          : `Nothing ended in the last ${f.whole(recent.minutes)} min either; the last event was written ${f.ago(data.store.written_at)}. `}
        What begins shows up here within two seconds.
      </p>
    </div>
  );
}
