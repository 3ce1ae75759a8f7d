/** Fix first: the causes that cost most, each with its line and what it cost. */
import type { Cause, OverviewAnswer } from '../../api/overview.ts';
import { Name } from '../../parts/bits.tsx';
import { Icon } from '../../parts/icon.tsx';
import { TONES, WORDS, causeIcon } from '../../parts/insights.tsx';
import { Panel } from '../../parts/panel.tsx';
import { PlaceLink } from '../../parts/source.tsx';
import { useQuery } from '../../state/query.ts';
import * as f from '../../text/format.ts';

export function FixFirst({ data }: { data: OverviewAnswer }) {
  return (
    <Panel id="fix" title="Fix first" sub="ordered by the time, the failures or the memory they cost">
      {data.fix_first.length ? (
        <ul class="fixes">
          {data.fix_first.map((cause) => (
            <li key={`${cause.service} ${cause.name} ${cause.kind} ${cause.where}`}>
              <Card cause={cause} />
            </li>
          ))}
        </ul>
      ) : (
        <p class="empty-line">
          No cause stands out in this range. The endpoints below are ranked by what they cost all the same.
        </p>
      )}
    </Panel>
  );
}

function Card({ cause }: { cause: Cause }) {
  const query = useQuery();
  const { where, why } = cause;
  const words = where && why.includes(where) ? why.replace(new RegExp(`( (at|from|in))? ?${escaped(where)}`), '') : why;
  return (
    <>
      <h3 class={TONES[cause.severity]}>
        <Icon name={causeIcon(cause.kind)} />
        <span class="sr-only">{WORDS[cause.severity]}: </span>
        {f.tame(cause.title, 60)}
      </h3>
      <span class="names">
        <Name
          method={cause.method}
          route={cause.route}
          name={cause.name}
          href={query.link('endpoint', { name: cause.name, kind: cause.endpoint_kind, service: cause.service })}
        />
      </span>
      <p>{f.tame(words, 300)}</p>
      <div class="fix-cost">
        <b>
          <Cost cause={cause} />
        </b>
        {where && <PlaceLink place={where} short />}
        {cause.trace && (
          <a class="link" href={query.link('trace', { id: cause.trace })}>
            Open a trace
          </a>
        )}
      </div>
    </>
  );
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

function Cost({ cause }: { cause: Cause }) {
  const failures = cause.kind === 'error_burst' ? Number(cause.evidence?.['failures']) : 0;
  if (failures) return <span data-tip="Calls that failed since the rate rose.">{f.plural(failures, 'failed request')}</span>;
  if (cause.cost_kb !== null && cause.cost_kb > 0)
    return (
      <span data-tip={`Memory kept, added up over the ${f.plural(cause.transactions, 'call')} in which it was seen.`}>
        {f.kb(cause.cost_kb, true)} kept
      </span>
    );
  return (
    <span
      data-tip={`Time it took, added up over the ${f.plural(cause.transactions, 'call')} in which it was seen, and its share of all request time in this range.`}
    >
      {f.span(cause.cost_ms)}, {f.percent(cause.share, cause.share >= 0.1 ? 0 : 1)} of all request time
    </span>
  );
}
