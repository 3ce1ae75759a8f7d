/** What these failures have in common that the other calls of the same endpoints have not. */
import type { ErrorAnswer, SharedValue } from '../../api/errors.ts';
import { Panel } from '../../parts/panel.tsx';
import * as f from '../../text/format.ts';

export function Shared({ data: { shared } }: { data: ErrorAnswer }) {
  const told = shared.values.length > 0 && shared.outside > 0;
  return (
    <Panel
      id="shared"
      title="What they share"
      sub={`${f.plural(shared.inside, 'failure')} against ${f.whole(shared.outside)} other calls of the same endpoints`}
    >
      {told ? (
        <>
          <ul class="shares">
            {shared.values.map((value) => (
              <Value key={`${value.attribute} ${value.value}`} value={value} />
            ))}
          </ul>
          <p class="legend sharelegend">
            <span>
              <i class="swatch fails" />
              of these failures
            </span>
            <span>
              <i class="swatch rest" />
              of the others
            </span>
            {shared.thin && <span class="thin">under {f.THIN} on a side: shares say little</span>}
          </p>
        </>
      ) : (
        <p class="empty-line">
          {shared.outside
            ? 'Nothing that is known of them tells them from the others. What your app says with apm_agent.add_context(…) is compared too.'
            : 'All calls of these endpoints failed so: there is nothing to compare them with.'}
        </p>
      )}
    </Panel>
  );
}

function Value({ value }: { value: SharedValue }) {
  const width = (share: number) => ({ width: `${100 * Math.min(1, share)}%` });
  return (
    <li
      data-tip={`${f.plural(value.inside_count, 'failure')} and ${f.plural(value.outside_count, 'other call')} have it${value.sure ? '' : '; it may be by chance'}`}
    >
      <span class="what">
        <span class="muted">{f.tame(value.attribute, 60)}</span>{' '}
        <b class="mono" dir="auto">
          {f.tame(value.value, 80)}
        </b>
        {!value.sure && <span class="faint"> perhaps</span>}
      </span>
      <span class="num">
        <b>{f.percent(value.inside, 0)}</b> <span class="muted">against {f.percent(value.outside, 0)}</span>
      </span>
      <span class="sharebars" aria-hidden="true">
        <i class="fails" style={width(value.inside)} />
        <i class="rest" style={width(value.outside ?? 0)} />
      </span>
    </li>
  );
}
