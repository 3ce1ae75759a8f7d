/** Time by kind in fast, typical and slow calls: what do slow ones do more of? */
import type { Band, EndpointAnswer } from '../../api/endpoint.ts';
import type { Kind } from '../../api/types.ts';
import { Panel } from '../../parts/panel.tsx';
import * as f from '../../text/format.ts';
import { FORMULAS } from '../../text/formulas.ts';
import { KINDS, KIND_NAMES, kindClass } from '../../text/kinds.ts';

/** The wait in a queue is before the call, not part of it. */
const IN_CALL = KINDS.filter((kind) => kind !== 'queue');

const BANDS = [
  ['fast', 'Fast half'],
  ['typical', 'Typical'],
  ['slow', 'Slowest 5%'],
] as const;

export function Bands({ bands }: { bands: EndpointAnswer['bands'] }) {
  const known = BANDS.flatMap(([id, title]) => {
    const band = bands[id];
    return band?.count ? [{ id, title, band }] : [];
  });
  const longest = Math.max(...known.map(({ band }) => band.mean_ms ?? 0), 1e-9);
  return (
    <Panel id="bands" title="What slow calls do more of" sub="mean per call">
      {known.length ? (
        <div class="bands" data-tip={FORMULAS.bands}>
          {known.map(({ id, title, band }) => (
            <div key={id} class="band">
              <span class={band.count < f.THIN ? 'thin' : ''}>
                {title} <small class="muted">n={f.whole(band.count)}</small>
              </span>
              <b class="num">{f.ms(band.mean_ms)}</b>
              <span class="kindbar" role="img" aria-label={describe(band)}>
                {IN_CALL.map(
                  (kind) =>
                    (band.kinds[kind] ?? 0) > 0 && (
                      <i
                        key={kind}
                        class={kindClass(kind)}
                        style={{ width: `${(100 * band.kinds[kind]!) / longest}%` }}
                        data-tip={`${KIND_NAMES[kind]} ${f.ms(band.kinds[kind])} a call`}
                      />
                    ),
                )}
              </span>
            </div>
          ))}
          <Verdict fast={bands.fast} slow={bands.slow} />
        </div>
      ) : (
        <p class="empty-line">No transaction of this range is left to compare.</p>
      )}
    </Panel>
  );
}

const describe = (band: Band): string =>
  IN_CALL.filter((kind) => band.kinds[kind])
    .map((kind) => `${KIND_NAMES[kind]} ${f.ms(band.kinds[kind])}`)
    .join(', ');

/** The kind that grew most between fast and slow calls. */
function Verdict({ fast, slow }: { fast: Band | undefined; slow: Band | undefined }) {
  if (!fast?.count || !slow?.count || fast.mean_ms === null || slow.mean_ms === null) return null;
  const gap = slow.mean_ms - fast.mean_ms;
  const growth = IN_CALL.map((kind): [Kind, number] => [kind, (slow.kinds[kind] ?? 0) - (fast.kinds[kind] ?? 0)]).sort(
    (a, b) => b[1] - a[1],
  )[0]!;
  if (gap <= 0 || growth[1] < gap * 0.2) return null;
  return (
    <p class="verdict">
      <i class={`swatch ${kindClass(growth[0])}`} /> <b>{KIND_NAMES[growth[0]]}</b> is{' '}
      {f.percent(Math.min(1, growth[1] / gap), 0)} of the {f.ms(gap)} between them.
    </p>
  );
}
