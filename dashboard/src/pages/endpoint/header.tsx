/** An endpoint's name and its key figures. */
import type { EndpointAnswer } from '../../api/endpoint.ts';
import { Change, Flag, Name, Percentile } from '../../parts/bits.tsx';
import { CopyMenu, baseOf } from '../../parts/copy.tsx';
import { Exports, commonOf } from '../../parts/export.tsx';
import { Spark } from '../../draw/small.tsx';
import { Figure, Kpi } from '../../parts/kpi.tsx';
import { CompareMenu } from '../../parts/compare-menu.tsx';
import { useQuery } from '../../state/query.ts';
import { saved } from '../../state/saved.ts';
import * as f from '../../text/format.ts';
import { FORMULAS } from '../../text/formulas.ts';

export function Header({ data, path }: { data: EndpointAnswer; path: string }) {
  const query = useQuery();
  const { endpoint, memory } = data;
  const errors = endpoint.count ? endpoint.errors / endpoint.count : 0;
  return (
    <section class="panel" aria-labelledby="endpoint-title">
      <div class="headline">
        <div>
          <h1 id="endpoint-title" class="names">
            <Name method={endpoint.method} route={endpoint.route} name={endpoint.name} />
            {endpoint.flags.map((flag) => (
              <Flag key={flag} name={flag} />
            ))}
          </h1>
          <div class="meta">
            {endpoint.view && (
              <span>
                <i>view</i>
                <span class="mono">{f.tame(endpoint.view, 160)}</span>
              </span>
            )}
            <span>
              <i>service</i>
              {f.tame(endpoint.service, 60)}
            </span>
            <span data-tip={FORMULAS.share}>
              <i>share</i>
              <b>{f.percent(endpoint.share)}</b> of all time
            </span>
          </div>
        </div>
        <div class="actions">
          <a
            class="button"
            href={query.link('traces', { name: endpoint.name, kind: endpoint.kind, service: query.get('service') })}
          >
            Traces
          </a>
          {!saved && (
            <a class="button" href="#closer" data-tip="Measure its next requests exactly: cProfile, line by line, or what they keep">
              Look closer
            </a>
          )}
          <CompareMenu endpoint={endpoint} />
          <a class="button" href={`api/v1/${path}`}>
            JSON
          </a>
          <CopyMenu
            call={{ ...endpoint, path: data.traces[0]?.path ?? endpoint.route, base: baseOf() }}
            limit={{
              ms: endpoint.p95_ms ?? endpoint.max_ms ?? 1000,
              says: `p95 ${f.ms(endpoint.p95_ms)} of ${f.plural(endpoint.count, 'call')} is the limit`,
              repeats: data.insights.some((insight) => insight.kind === 'repeated_query'),
            }}
          />
          <Exports
            page="endpoint"
            parameters={{ ...commonOf(query.search), name: endpoint.name, kind: endpoint.kind }}
            sources={{ profile: data.hot_lines.length > 0, record: false }}
            path={path}
          />
        </div>
      </div>
      <div class="kpis">
        <Kpi label="Calls" formula="count" value={f.whole(endpoint.count)} note={`${f.rate(endpoint.per_min)} a minute`}>
          <Spark values={data.series.count} />
        </Kpi>
        <Kpi label="p50" formula="p50" value={<Big value={endpoint.p50_ms} count={endpoint.count} />}>
          <Spark values={data.series.p50_ms} />
        </Kpi>
        <Kpi
          label="p95"
          formula="p95"
          value={<Big value={endpoint.p95_ms} count={endpoint.count} />}
          note={
            endpoint.p95_change === null ? (
              'no comparison yet'
            ) : (
              <span data-tip={FORMULAS.change}>
                <Change share={endpoint.p95_change} /> before
              </span>
            )
          }
        >
          <Spark values={data.series.p95_ms} worse={(endpoint.p95_change ?? 0) > 0.5} />
        </Kpi>
        <Kpi
          label="p99"
          formula="p99"
          value={<Big value={endpoint.p99_ms} count={endpoint.count} />}
          note={`max ${f.ms(endpoint.max_ms)}`}
        />
        <Kpi
          label="Errors"
          formula="errors"
          value={<span class={errors > 0.01 ? 'bad' : ''}>{f.percent(errors, errors ? 1 : 0)}</span>}
          note={
            endpoint.errors && endpoint.name.length <= 500 ? (
              <a class="link" href={query.link('errors', { q: endpoint.name })}>
                {f.plural(endpoint.errors, 'call')}
              </a>
            ) : (
              f.plural(endpoint.errors, 'call')
            )
          }
        />
        <Kpi
          label="Queries per call"
          formula="queries"
          value={f.mean(endpoint.queries_per_call)}
          note={endpoint.cpu_ms === null ? undefined : `CPU ${f.ms(endpoint.cpu_ms)} a call`}
        />
        <Kpi
          label="RSS per call"
          formula="rss"
          value={<Figure text={f.kb(endpoint.rss_kb, true)} />}
          note={`${f.whole(memory.exclusive)} measured alone`}
        />
      </div>
    </section>
  );
}

function Big({ value, count }: { value: number | null; count: number }) {
  return value === null || count >= f.THIN ? <Figure text={f.ms(value)} /> : <Percentile value={value} count={count} strong />;
}
