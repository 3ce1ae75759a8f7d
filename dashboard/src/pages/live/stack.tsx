/** The current stack of one transaction, as it was a second ago at most. */
import type { Flight, Stacked } from '../../api/live.ts';
import { Panel } from '../../parts/panel.tsx';
import { PlaceLink } from '../../parts/source.tsx';
import { useQuery } from '../../state/query.ts';
import * as f from '../../text/format.ts';
import { State, whereabouts } from './rows.tsx';

export function Stack({ row, ended, close }: { row: Flight | null; ended: boolean; close: () => void }) {
  const query = useQuery();
  const shut = (
    <button type="button" class="button" onClick={close}>
      Close
    </button>
  );
  if (!row)
    return (
      <Panel id="stack" title="Stack" tools={shut}>
        <p class="empty-line">It is not in flight any more.</p>
      </Panel>
    );
  return (
    <Panel
      id="stack"
      title={f.tame(row.name, 90) || '(no name yet)'}
      sub={ended ? 'has ended; this is its last stack' : `stack now, ${f.ms(row.age_ms)} old`}
      tools={
        <>
          {ended && (
            <a class="button" href={query.link('trace', { id: row.id })}>
              Open its trace
            </a>
          )}
          <a class="button" href={query.link('endpoint', { name: row.name, kind: row.kind, service: row.service })}>
            Endpoint
          </a>
          {shut}
        </>
      }
    >
      {[row, ...row.also].map((place, i) => (
        <Frames key={`${place.thread} ${place.task} ${i}`} place={place} row={i ? null : row} />
      ))}
    </Panel>
  );
}

/** Innermost first: that is where it is. */
function Frames({ place, row }: { place: Stacked; row: Flight | null }) {
  return (
    <div class="block">
      <div class="caption">
        <span class="mono">{whereabouts(place) || 'no thread of its own'}</span>
        {row ? <State row={row} /> : <span class="muted">{f.tame(place.stack_state, 20)}</span>}
      </div>
      {place.stack.length ? (
        <div class="frames" tabIndex={0} role="group" aria-label={`Stack of ${whereabouts(place)}, innermost frame first`}>
          <ol>
            {[...place.stack].reverse().map((frame, i) => (
              <li key={i} class={`mono ${frame.category === 'app' ? 'mine' : ''}`}>
                <span class={frame.category === 'app' ? 'own' : ''}>{f.tame(frame.function, 120)}</span>
                <PlaceLink place={{ file: frame.file, line: frame.line }} short />
              </li>
            ))}
          </ol>
        </div>
      ) : (
        <p class="muted">No frame of it could be read.</p>
      )}
      {place.cut > 0 && <p class="muted">{f.plural(place.cut, 'outer frame')} left out</p>}
    </div>
  );
}
