/** Endpoint: why is it slow, and when is it slow? */
import type { EndpointAnswer } from '../../api/endpoint.ts';
import { useAnswer } from '../../api/use.ts';
import { Histogram } from '../../draw/histogram.tsx';
import { Ran } from '../../parts/blame.tsx';
import { Insights } from '../../parts/insights.tsx';
import { later } from '../../parts/later.tsx';
import { Panel } from '../../parts/panel.tsx';
import { Empty, Loaded } from '../../parts/states.tsx';
import { Table } from '../../parts/table.tsx';
import { traceColumns } from '../../parts/traces.tsx';
import { go, useQuery } from '../../state/query.ts';
import { saved } from '../../state/saved.ts';
import * as f from '../../text/format.ts';
import { Wait } from '../jobs/wait.tsx';
import { Bands } from './bands.tsx';
import { Closer } from './closer.tsx';
import { EndpointLatency } from './box.tsx';
import { Header } from './header.tsx';
import { Profile } from './profile.tsx';
import { Statements } from './statements.tsx';

const Memory = later(() => import('./memory.tsx'), 260);

export default function Endpoint() {
  const query = useQuery();
  const identity = { name: query.get('name'), kind: query.get('kind'), service: query.get('service') };
  const answer = useAnswer<EndpointAnswer>('endpoint', identity, { skip: !identity.name });
  if (!identity.name)
    return (
      <div class="panel empty">
        <h1 class="title">No endpoint chosen</h1>
        <p>
          <a class="link" href={query.link('endpoints')}>
            Choose one from the list.
          </a>
        </p>
      </div>
    );
  return (
    <Loaded answer={answer} what={f.tame(identity.name, 80)} height={600}>
      {(data) => (
        <Ran.Provider value={{ name: data.endpoint.name, kind: data.endpoint.kind }}>
          <Content data={data} path={answer.path} />
        </Ran.Provider>
      )}
    </Loaded>
  );
}

function Content({ data, path }: { data: EndpointAnswer; path: string }) {
  const query = useQuery();
  const { endpoint } = data;
  const identity = { name: endpoint.name, kind: endpoint.kind, service: query.get('service') };
  const between = (low: number | null, high: number | null) =>
    query.link('traces', { ...identity, min_ms: low?.toFixed(2), max_ms: high?.toFixed(2) });
  if (!endpoint.count)
    return (
      <>
        <Header data={data} path={path} />
        <div class="panel">
          <Empty common={data} noun="calls of this endpoint" filters={[]} />
        </div>
      </>
    );
  return (
    <>
      <Header data={data} path={path} />
      {data.insights.length > 0 && (
        <Panel id="insights" title="Why" sub="causes found in its transactions, costliest first">
          <Insights
            insights={data.insights}
            foot={(insight) => (
              <p class="foot-line num">
                {insight.cost_ms !== null && <b>{f.ms(insight.cost_ms)} a call</b>}
                {insight.count !== undefined && insight.of !== undefined && (
                  <span class="muted">
                    in {f.whole(insight.count)} of {f.whole(insight.of)} looked at
                  </span>
                )}
                {insight.trace && (
                  <a class="link" href={query.link('trace', { id: insight.trace })}>
                    Open a trace
                  </a>
                )}
              </p>
            )}
          />
        </Panel>
      )}
      <div class="columns main-side">
        <EndpointLatency data={data} identity={identity} />
        <div class="stack">
          <Panel id="histogram" title="Distribution" sub="calls by latency">
            <Histogram
              data={data.histogram}
              p50={endpoint.p50_ms}
              p95={endpoint.p95_ms}
              open={(low, high) => go(between(low, high))}
            />
            <p class="histogram-links">
              <a class="button" href={between(null, endpoint.p50_ms)}>
                Fast half
              </a>
              <a class="button" href={between(endpoint.p50_ms, endpoint.p95_ms)}>
                Typical
              </a>
              <a class="button" href={between(endpoint.p95_ms, null)}>
                Slowest 5%
              </a>
            </p>
          </Panel>
          <Bands bands={data.bands} />
        </div>
      </div>
      {endpoint.kind === 'background' && <Wait identity={identity} />}
      <Profile data={data} identity={identity} />
      <Statements data={data} />
      <Panel
        id="slow"
        title="Slow traces"
        sub="slowest first"
        tools={
          <a class="link" href={query.link('traces', identity)}>
            All traces of this endpoint
          </a>
        }
      >
        {data.traces.length ? (
          <Table
            label="Slow traces, arrow keys move, Enter opens"
            columns={traceColumns((row) => query.link('trace', { id: row.id }), { endpoint: false })}
            rows={data.traces}
            keyOf={(row) => row.id}
            hrefOf={(row) => query.link('trace', { id: row.id })}
            height={36}
          />
        ) : (
          <p class="empty-line">No transaction of this range is left in the store. The figures above come from its rollups.</p>
        )}
      </Panel>
      <Memory data={data} />
      {!saved && <Closer identity={identity} />}
    </>
  );
}
