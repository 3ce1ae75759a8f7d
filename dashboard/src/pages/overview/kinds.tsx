/** Where the time goes: by kind over the range, and in all. */
import type { OverviewAnswer } from '../../api/overview.ts';
import { Panel } from '../../parts/panel.tsx';
import * as f from '../../text/format.ts';
import { KINDS, KIND_NAMES, KIND_WORDS, kindClass } from '../../text/kinds.ts';

const COLUMNS = 40;
const [WIDTH, HEIGHT, GAP] = [320, 132, 1.2];

export function TimeByKind({ data: { series, window } }: { data: OverviewAnswer }) {
  const sums = KINDS.map((kind) => ({ kind, ms: (series.kinds[kind] ?? []).reduce((sum, value) => sum + value, 0) }))
    .filter(({ ms }) => ms > 0)
    .sort((a, b) => b.ms - a.ms);
  const whole = sums.reduce((sum, { ms }) => sum + ms, 0);
  const count = Math.min(COLUMNS, series.t.length);
  const each = series.t.length / count;
  const columns = Array.from({ length: count }, (_, i) =>
    sums.map(({ kind }) =>
      series.kinds[kind]!.slice(Math.floor(i * each), Math.floor((i + 1) * each)).reduce((sum, value) => sum + value, 0),
    ),
  );
  const most = Math.max(...columns.map((parts) => parts.reduce((sum, value) => sum + value, 0)), 1e-9);
  const width = WIDTH / count;
  return (
    <Panel
      id="kinds"
      title="Where the time goes"
      sub={
        <span data-tip="All time of all requests in this range, added up; waits before they began apart.">
          {f.span(whole)} in all
        </span>
      }
    >
      <svg
        class="kind-chart"
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`Request time by kind over the last ${f.lasted(window.to - window.from)}`}
      >
        {columns.map((parts, i) => {
          let top = HEIGHT;
          return parts.map((value, k) => {
            const height = (value / most) * (HEIGHT - 2);
            top -= height;
            return (
              height > 0 && (
                <rect
                  key={`${i} ${k}`}
                  class={kindClass(sums[k]!.kind)}
                  x={i * width}
                  y={top}
                  width={Math.max(0.5, width - GAP)}
                  height={height}
                />
              )
            );
          });
        })}
      </svg>
      <dl class="kind-sums">
        {sums.map(({ kind, ms }) => (
          <div key={kind} data-tip={`${KIND_NAMES[kind]}: ${KIND_WORDS[kind]}. Sum over all requests ÷ sum of all kinds.`}>
            <dt>
              <i class={`swatch ${kindClass(kind)}`} />
              {KIND_NAMES[kind]}
            </dt>
            <dd class="muted">{f.span(ms)}</dd>
            <dd>
              <b>{f.percent(whole ? ms / whole : 0, ms / whole < 0.01 ? 1 : 0)}</b>
            </dd>
          </div>
        ))}
      </dl>
    </Panel>
  );
}
