/** What the requests in a box share that the others do not. */
import type { ExplainAnswer, SharedValue } from '../../api/overview.ts';
import type { Common } from '../../api/types.ts';
import { useAnswer } from '../../api/use.ts';
import type { Selection } from '../../draw/box.ts';
import { inBox } from '../../parts/latency.tsx';
import { Loaded } from '../../parts/states.tsx';
import { useQuery } from '../../state/query.ts';
import * as f from '../../text/format.ts';
import { KIND_NAMES } from '../../text/kinds.ts';

export function Explain({ box, window, clear }: { box: Selection; window: Common['window']; clear: () => void }) {
  const query = useQuery();
  // the last minute changes all the time, and what is shared hardly with it
  const base = { base_from: window.from, base_to: Math.floor(window.to / 60) * 60 };
  const answer = useAnswer<ExplainAnswer>('explain', { ...inBox(box), ...base }, { still: true });
  return (
    <section class="panel" id="explain" aria-labelledby="explain-title">
      <div class="head">
        <h2 id="explain-title" class="title" aria-live="polite">
          {f.plural(box.count, 'selected request')}
        </h2>
        <span class="tools">
          <button type="button" class="button" onClick={clear}>
            Clear <kbd>Esc</kbd>
          </button>
        </span>
      </div>
      <p class="explain-words">
        {f.ms(box.lowMs)} to {f.ms(box.highMs)}, {f.clock(box.from)} to {f.clock(box.to)}. What they share that other requests do
        not:
      </p>
      <Loaded answer={answer} what="what they share" height={180}>
        {(data) => <Shared data={data} count={box.count} />}
      </Loaded>
      <p class="explain-links">
        {answer.data?.median && (
          <a
            class="button primary"
            href={query.link('trace', { id: answer.data.median.id })}
            data-tip={`The request in the middle of them by duration, ${f.ms(answer.data.median.duration_ms)}${answer.data.median.has_detail ? '' : '; none of them is kept with its spans and samples'}.`}
          >
            Open the median trace of these
          </a>
        )}
        <a class="button" href={query.link('traces', inBox(box))}>
          All of them
        </a>
      </p>
    </section>
  );
}

function Shared({ data, count }: { data: ExplainAnswer; count: number }) {
  const { selected, others, shared, sampled, thin } = data;
  if (!selected.count)
    return (
      <p class="empty-line">
        {count
          ? 'Single requests of that time are not kept any more: only their counts are.'
          : 'There is no request in this box.'}
      </p>
    );
  return (
    <>
      {shared.length ? (
        <ul
          class="shared"
          data-tip="Share of the selected requests with this value, and (mark) of the others. Largest difference first."
        >
          {shared.map((one) => (
            <li key={`${one.attribute} ${one.value}`}>
              <One one={one} of={[selected.looked_at, others.looked_at]} />
            </li>
          ))}
        </ul>
      ) : (
        <p class="empty-line">
          {others.count ? 'Nothing that is recorded tells them from the others.' : 'There are no others to compare them with.'}
        </p>
      )}
      {(thin || sampled) && (
        <p class="explain-note">
          {thin && (
            <span class="thin">
              Few requests ({f.whole(selected.looked_at)} against {f.whole(others.looked_at)}): shares say little.{' '}
            </span>
          )}
          {sampled && (
            <span>
              Sampled: {f.whole(selected.looked_at)} of {f.whole(selected.count)} against {f.whole(others.looked_at)} of about{' '}
              {f.whole(others.count)} were compared.
            </span>
          )}
        </p>
      )}
    </>
  );
}

function One({ one, of }: { one: SharedValue; of: [number, number] }) {
  const query = useQuery();
  const value = words(one.attribute, one.value);
  const also = one.also.map((other) => `${other.attribute} ${words(other.attribute, other.value)}`);
  return (
    <>
      <div class="shared-words">
        <span class="shared-name">
          <span class="muted">{f.tame(one.attribute, 60)}</span>{' '}
          {one.endpoint ? (
            <a class="mono" href={query.link('endpoint', { ...one.endpoint })}>
              {f.tame(value, 80)}
            </a>
          ) : (
            <b class="mono">{f.tame(value, 80)}</b>
          )}
        </span>
        <span
          class="num"
          data-tip={`${f.whole(one.inside_count)} of ${f.whole(of[0])} selected, ${f.whole(one.outside_count)} of ${f.whole(of[1])} others.${one.sure ? '' : ' So few that it may be chance.'}`}
        >
          {one.sure ? '' : <span class="faint">maybe </span>}
          <b>{f.percent(one.inside, 0)}</b> <span class="muted">vs {f.percent(one.outside, 0)}</span>
        </span>
      </div>
      <div class={`shared-track ${one.sure ? '' : 'unsure'}`} aria-hidden="true">
        <i style={{ width: `${100 * one.inside}%` }} />
        {one.outside !== null && <u style={{ left: `${100 * one.outside}%` }} />}
      </div>
      {also.length > 0 && <div class="faint shared-also">the same requests: {f.tame(also.slice(0, 3).join(', '), 200)}</div>}
    </>
  );
}

const words = (attribute: string, value: string): string => (attribute === 'most time in' ? (KIND_NAMES[value] ?? value) : value);
