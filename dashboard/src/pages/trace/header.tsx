/** A trace's first panel: what it was, how slow for its endpoint, where its time went and why. */
import type { TraceAnswer } from '../../api/trace.ts';
import { RankHistogram } from '../../draw/histogram.tsx';
import { Name, Status } from '../../parts/bits.tsx';
import { CopyMenu, baseOf } from '../../parts/copy.tsx';
import { Exports } from '../../parts/export.tsx';
import { Icon } from '../../parts/icon.tsx';
import { Insights } from '../../parts/insights.tsx';
import { PlaceLink } from '../../parts/source.tsx';
import { keptWords } from '../../parts/traces.tsx';
import { useQuery } from '../../state/query.ts';
import * as f from '../../text/format.ts';
import { FORMULAS } from '../../text/formulas.ts';
import { KIND_NAMES, KIND_WORDS, kindClass, parts } from '../../text/kinds.ts';

export function Header({ data, path }: { data: TraceAnswer; path: string }) {
  const { trace, insights } = data;
  return (
    <section class="panel" aria-labelledby="trace-title">
      <div class="headline">
        <div>
          <h1 id="trace-title" class="names">
            <Name method={trace.method} route={trace.route} name={trace.name} />
            <Status status={trace.status} failed={trace.failed} error={trace.error?.type ?? null} />
          </h1>
          <Meta data={data} />
        </div>
        <div class="rank">
          <Rank data={data} />
          <div class="figure">
            <div class="huge num" data-tip={FORMULAS.duration}>
              {f.ms(trace.duration_ms)}
            </div>
            <div class="muted num" data-tip={FORMULAS.cpu}>
              {trace.cpu_ms === null ? '' : `CPU ${f.ms(trace.cpu_ms)}`}
            </div>
          </div>
        </div>
      </div>
      <Breakdown data={data} path={path} />
      {trace.error && <Failed error={trace.error} />}
      {insights.length > 0 && (
        <Insights
          insights={insights}
          level={2}
          foot={(insight) =>
            insight.cost_ms !== null && (
              <p class="foot-line num">
                <b>{f.ms(insight.cost_ms)}</b>{' '}
                <span class="muted">{f.percent(Math.min(1, insight.cost_ms / (trace.duration_ms || 1)), 0)} of this one</span>
              </p>
            )
          }
        />
      )}
    </section>
  );
}

function Meta({ data: { trace } }: { data: TraceAnswer }) {
  const query = useQuery();
  return (
    <div class="meta">
      <span>
        <i>endpoint</i>
        <a class="link" href={query.link('endpoint', { name: trace.name, kind: trace.kind, service: trace.service })}>
          {f.tame(trace.view ?? trace.name, 100)}
        </a>
      </span>
      {trace.path && trace.path !== trace.route && (
        <span>
          <i>path</i>
          <span class="mono" dir="ltr">
            {f.tame(trace.path, 160)}
          </span>
        </span>
      )}
      <span title={f.exact(trace.t)}>
        <i>at</i>
        <span class="num">
          {f.day(trace.t)} {f.clock(trace.t, true)}
        </span>
      </span>
      {trace.release && (
        <span>
          <i>release</i>
          <span class="mono">{f.tame(trace.release, 40)}</span>
        </span>
      )}
      <span>
        <i>process</i>
        <span class="mono">
          {f.tame(trace.host, 60)}:{trace.pid}
        </span>
      </span>
      {trace.queue_ms !== null && trace.queue_ms > 0 && (
        <span data-tip={`Queue: ${KIND_WORDS['queue']}`}>
          <i>queued</i>
          <b class="num">{f.ms(trace.queue_ms)}</b>
        </span>
      )}
      {trace.first_byte_ms !== null && (
        <span data-tip="From the begin to the first byte of the answer">
          <i>first byte</i>
          <span class="num">{f.ms(trace.first_byte_ms)}</span>
        </span>
      )}
      {trace.kept && (
        <span data-tip={`Kept with its spans and samples: ${keptWords(trace.kept, trace.kept_share)}.`}>
          <i>kept</i>
          {f.tame(trace.kept, 30)}
        </span>
      )}
      <span>
        <i>id</i>
        <span class="mono">{f.tame(trace.id, 40)}</span>
      </span>
    </div>
  );
}

function Rank({ data: { trace, histogram, window } }: { data: TraceAnswer }) {
  if (trace.percentile === null || trace.endpoint_count < f.THIN) {
    return (
      <div class="rank-words muted">
        Too few calls to rank it: {f.whole(trace.endpoint_count)} in {f.lasted(window.to - window.from)}
      </div>
    );
  }
  const words = `Slower than ${trace.percentile.toFixed(1)}% of ${f.plural(trace.endpoint_count, 'call')}`;
  return (
    <>
      <div class="rank-words" data-tip={FORMULAS.rank}>
        <b>Slower than {trace.percentile.toFixed(1)}%</b> of {f.plural(trace.endpoint_count, 'call')} in{' '}
        {f.lasted(window.to - window.from)}
      </div>
      <RankHistogram data={histogram} value={trace.duration_ms} p50={trace.p50_ms} label={words} />
    </>
  );
}

function Breakdown({ data, path }: { data: TraceAnswer; path: string }) {
  const query = useQuery();
  const { trace, previous, next, median, insights, samples, callgraph, detail } = data;
  const all = parts(trace.kinds, true);
  const step = (id: string | null, icon: string, label: string, key: string) =>
    id ? (
      <a class="button" href={query.link('trace', { id })} aria-label={label} data-tip={`${label}. Key: ${key}`}>
        <Icon name={icon} />
      </a>
    ) : (
      <span class="button off" aria-hidden="true">
        <Icon name={icon} />
      </span>
    );
  return (
    <div class="breakdown">
      <span
        class="kindbar"
        role="img"
        aria-label={all.map((part) => `${KIND_NAMES[part.kind]} ${f.ms(part.value)}`).join(', ') || 'no time by kind'}
      >
        {all.map((part) => (
          <i
            key={part.kind}
            class={kindClass(part.kind)}
            style={{ width: `${100 * part.share}%` }}
            data-tip={`${KIND_NAMES[part.kind]}: ${KIND_WORDS[part.kind]}`}
          />
        ))}
      </span>
      <div class="breakdown-row">
        <span class="legend">
          {all.map((part) => (
            <span key={part.kind} data-tip={KIND_WORDS[part.kind]}>
              <i class={`swatch ${kindClass(part.kind)}`} />
              {KIND_NAMES[part.kind]} <b class="num">{f.ms(part.value)}</b> <span class="muted">{f.percent(part.share, 0)}</span>
            </span>
          ))}
        </span>
        <span class="actions">
          {step(previous, 'left', 'Slower trace of this endpoint', '[')}
          {step(next, 'right', 'Faster trace of this endpoint', ']')}
          {median && median !== trace.id && (
            <a class="button" href={query.link('trace', { id: median })}>
              A median call
            </a>
          )}
          {median && median !== trace.id && (
            <a
              class="button"
              href={query.link('compare', { a: `tx:${median}`, b: `tx:${trace.id}` })}
              data-tip="What this one does more of than a median call of its endpoint"
            >
              Compare with it
            </a>
          )}
          <CopyMenu
            call={{ ...trace, path: trace.path ?? trace.route, base: baseOf() }}
            limit={{
              ms: trace.p95_ms ?? trace.duration_ms,
              says: `${f.ms(trace.duration_ms)} in trace ${trace.id}; ${trace.p95_ms === null ? 'that is the limit' : `the limit is the p95 of its endpoint then, ${f.ms(trace.p95_ms)}`}`,
              repeats: insights.some((insight) => insight.kind === 'repeated_query'),
            }}
          />
          <Exports
            page="trace"
            parameters={{ id: trace.id }}
            sources={{ profile: samples.length > 0, callgraph: callgraph !== null, record: detail !== false }}
            path={path}
          />
        </span>
      </div>
    </div>
  );
}

function Failed({ error }: { error: NonNullable<TraceAnswer['trace']['error']> }) {
  return (
    <div class="raised">
      <Icon name="error" tone="bad" />
      <div>
        <b class="bad">{f.tame(error.type, 120)}</b>
        {error.message && <span class="mono"> {f.tame(error.message, 600)}</span>}
        {error.file && error.line !== null && (
          <div>
            <PlaceLink place={{ file: error.file, line: error.line }} />
            {error.function && <span class="muted mono"> in {f.tame(error.function, 80)}</span>}
          </div>
        )}
      </div>
    </div>
  );
}
