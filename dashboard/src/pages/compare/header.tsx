/** What is compared, and each key figure before and after with how sure its change is. */
import type { ComponentChildren } from 'preact';
import type { CompareAnswer, FigureName, Pair, Side } from '../../api/compare.ts';
import { Name } from '../../parts/bits.tsx';
import { Exports, commonOf } from '../../parts/export.tsx';
import { Icon } from '../../parts/icon.tsx';
import { useQuery } from '../../state/query.ts';
import { saved } from '../../state/saved.ts';
import * as f from '../../text/format.ts';
import { FORMULAS } from '../../text/formulas.ts';
import { asked, when, words } from './address.ts';
import { Picks } from './picks.tsx';

interface Figure {
  name: FigureName;
  label: string;
  formula: string;
  write: (value: number | null) => string;
}

const rss = (value: number | null) => f.kb(value, true);
const MEAN = ' Of all calls of each side.';
const FIGURES: Figure[] = [
  { name: 'p50_ms', label: 'p50', formula: FORMULAS.p50, write: f.ms },
  { name: 'p95_ms', label: 'p95', formula: FORMULAS.p95, write: f.ms },
  { name: 'p99_ms', label: 'p99', formula: FORMULAS.p99, write: f.ms },
  { name: 'error_rate', label: 'Errors', formula: FORMULAS.errors, write: (value) => f.percent(value, value ? 2 : 0) },
  { name: 'queries_per_call', label: 'SQL queries', formula: FORMULAS.queries + MEAN, write: f.mean },
  { name: 'cpu_ms', label: 'CPU', formula: FORMULAS.cpu + MEAN, write: f.ms },
  { name: 'rss_kb', label: 'Memory kept', formula: FORMULAS.rss, write: rss },
];
const OF_TRACES: Figure[] = [
  { name: 'mean_ms', label: 'Duration', formula: FORMULAS.duration, write: f.ms },
  ...FIGURES.filter(({ name }) => ['cpu_ms', 'queries_per_call', 'rss_kb'].includes(name)),
];
const SURE = 3;

export function Header({ data, path }: { data: CompareAnswer | null; path: string }) {
  const query = useQuery();
  const live = query.get('live') === '1';
  return (
    <section class="panel compare" aria-labelledby="compare-title">
      <div class="headline">
        <div>
          <h1 id="compare-title" class="names">
            <Title data={data} />
          </h1>
          {data && <Meta data={data} />}
        </div>
        <div class="actions">
          {!saved && (
            <>
              <button
                type="button"
                class="button"
                aria-pressed={live}
                onClick={() => query.set({ live: live ? null : 1 }, { replace: true })}
                data-tip="Ask again every 2 seconds"
              >
                <Icon name="live" />
                Live
              </button>
              <a class="button" href={`api/v1/${path}`}>
                JSON
              </a>
            </>
          )}
          <Exports page="compare" parameters={{ ...commonOf(query.search), ...asked(query) }} path={path} />
        </div>
      </div>
      {!saved && <Picks data={data} />}
      {data && <Kpis data={data} />}
      {data?.thin && !(data.a.trace && data.b.trace) && (
        <p class="thin-note" role="note">
          <Icon name="info" />
          <span>
            <b>Too few to rank.</b> {f.tame(data.why_thin ?? '', 300)}.
          </span>
        </p>
      )}
    </section>
  );
}

function Title({ data }: { data: CompareAnswer | null }) {
  const query = useQuery();
  const [a, b] = [data?.a.endpoint, data?.b.endpoint];
  const name = (side: typeof a) => <Name method={side?.method ?? null} route={side?.route ?? null} name={side?.name ?? ''} />;
  if (a && b && (a.name !== b.name || a.kind !== b.kind))
    return (
      <>
        {name(a)} <span class="muted">against</span> {name(b)}
      </>
    );
  if (b ?? a) return name(b ?? a);
  const given = query.get('name');
  return given ? (
    <span class="route">{f.tame(given, 200)}</span>
  ) : (
    <>{query.get('service') ? `All of ${f.tame(query.get('service'), 60)}` : 'The whole app'}</>
  );
}

function Meta({ data }: { data: CompareAnswer }) {
  const query = useQuery();
  const one = (side: Side, title: string) =>
    side.trace ? (
      <span>
        <i>{title}</i>
        <a class="link" href={query.link('trace', { id: side.trace.id })}>
          trace {f.tame(side.trace.id, 20)}
        </a>
        {side.trace.release && <> release {f.tame(side.trace.release, 40)}</>}
      </span>
    ) : (
      <span>
        <i>{title}</i>
        <b>{f.whole(side.count)}</b> {side.count === 1 ? 'call' : 'calls'}
        {saved && ` of ${words(side.label)}, ${when(side)}`}
      </span>
    );
  return (
    <div class="meta">
      {one(data.a, 'before')}
      {one(data.b, 'after')}
    </div>
  );
}

function Kpis({ data }: { data: CompareAnswer }) {
  const few = Math.min(data.a.count, data.b.count) < f.THIN;
  const figures = data.a.trace || data.b.trace ? OF_TRACES : FIGURES;
  return (
    <div class="kpis" data-figures={figures.length}>
      {figures.map((figure) => (
        <Kpi key={figure.name} figure={figure} pair={data.kpi[figure.name]} few={few && /^p\d/.test(figure.name)} />
      ))}
    </div>
  );
}

function Kpi({ figure: { label, formula, write }, pair, few }: { figure: Figure; pair: Pair; few: boolean }) {
  const [value, unit] = f.split(write(pair.after));
  return (
    <div class="kpi versus">
      <span class="label" data-tip={formula}>
        {label}
      </span>
      <span
        class={`value ${few ? 'thin' : ''}`}
        data-tip={few ? `Under ${f.THIN} calls on a side a percentile says little.` : undefined}
      >
        {value}
        {unit && <small>{unit}</small>}
      </span>
      <span class="note">was {write(pair.before)}</span>
      <Verdict pair={pair} write={write} />
    </div>
  );
}

/** How much it changed, and whether that is more than chance; nothing where too few calls were made to say. */
function Verdict({ pair: { before, after, change, sureness, significant }, write }: { pair: Pair; write: Figure['write'] }) {
  const line = (tone: string, tip: string | undefined, text: ComponentChildren) => (
    <span class={`change ${tone}`} data-tip={tip}>
      {text}
    </span>
  );
  if (before === null || after === null) return line('flat', 'Not measured on both sides', f.NONE);
  if (before === after) return line('flat', undefined, 'same');
  const arrow = after > before ? '↑ ' : '↓ ';
  const size =
    change === null
      ? write(Math.abs(after - before)).replace('+', '')
      : Math.abs(change) >= 10
        ? `×${f.whole(change + 1)}`
        : f.percent(Math.abs(change), Math.abs(change) < 0.1 ? 1 : 0);
  if (sureness === null)
    return line(
      'flat',
      'Whether this is chance cannot be said: too few calls, or all in one minute',
      `${arrow}${size}${change === null ? '' : ' not tested'}`,
    );
  const tip = `(after − before) ÷ how well both are known: ${Math.abs(sureness) >= 99 ? 'over 99' : Math.abs(sureness).toFixed(1)} standard deviations from no change. From ${SURE} on it counts as no chance; one slow minute is one witness, unless all lie in one.`;
  return significant
    ? line(after > before ? 'bad' : 'good', tip, `${arrow}${size}`)
    : line('flat', tip, `${arrow}${size} may be chance`);
}
