/** A statement and its key figures. */
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { QueryAnswer } from '../../api/queries.ts';
import { Flag } from '../../parts/bits.tsx';
import { Sql, copyText } from '../../parts/source.tsx';
import { Spark } from '../../draw/small.tsx';
import * as f from '../../text/format.ts';

export function Header({ data, path }: { data: QueryAnswer; path: string }) {
  const { query, series, p95 } = data;
  return (
    <section class="panel" aria-labelledby="query-title">
      <div class="headline">
        <div>
          <h1 id="query-title" class="names">
            <span class="route mono" dir="ltr">
              {f.tame(data.summary, 120)}
            </span>
            {query?.flags.map((flag) => (
              <Flag key={flag} name={flag} />
            ))}
          </h1>
        </div>
        <div class="actions">
          <Copy text={`EXPLAIN ${data.text}`} />
          <a class="button" href={`api/v1/${path}`}>
            JSON
          </a>
        </div>
      </div>
      <div class="statement-text">
        <Sql text={data.text} />
      </div>
      {query && (
        <div class="kpis">
          <Kpi label="Runs" tip="Runs in this range" value={f.whole(query.runs)} note={`${f.rate(query.per_min)} a minute`}>
            <Spark values={series.runs} />
          </Kpi>
          <Kpi
            label="Time"
            tip="All time of this statement ÷ all time of all statements"
            value={<Figure text={f.span(query.total_ms)} />}
            note={`${f.percent(query.share)} of all query time`}
          />
          <Kpi label="Each" tip="Total time ÷ runs" value={<Figure text={f.ms(query.mean_ms)} />}>
            <Spark values={series.mean_ms} />
          </Kpi>
          <Kpi
            label="p95"
            tip="95 of 100 runs were faster, of the runs in transactions kept with their spans: those are more often slow ones"
            value={p95.ms === null ? f.NONE : <Figure text={f.ms(p95.ms)} />}
            note={`of ${f.plural(p95.count, 'kept run')}`}
          />
          <Kpi label="Slowest run" tip="The longest of all runs in this range" value={<Figure text={f.ms(query.max_ms)} />} />
          <Kpi
            label="Runs per call"
            tip="Runs ÷ calls that ran it at all, where that is most"
            value={<span class={query.runs_per_call >= 5 ? 'bad' : ''}>{f.mean(query.runs_per_call)}</span>}
          />
          <Kpi label="Endpoints" tip="How many endpoints send it" value={f.whole(query.endpoint_count)} note={f.plural(query.places, 'line')} />
        </div>
      )}
    </section>
  );
}

function Copy({ text }: { text: string }) {
  const [copied, set] = useState(false);
  const copy = async () => {
    await copyText(text);
    set(true);
    setTimeout(() => set(false), 1500);
  };
  return (
    <button type="button" class="button" onClick={copy} data-tip="With ? for each value: put your own in and run it yourself">
      Copy EXPLAIN
      <span role="status" class="sr-only">
        {copied ? 'copied' : ''}
      </span>
      {copied && <span aria-hidden="true"> ✓</span>}
    </button>
  );
}

function Kpi({
  label,
  tip,
  value,
  note,
  children,
}: {
  label: string;
  tip: string;
  value: ComponentChildren;
  note?: string;
  children?: ComponentChildren;
}) {
  return (
    <div class="kpi">
      <span class="label" data-tip={tip}>
        {label}
      </span>
      <span class="value">{value}</span>
      <span class="note">{note}</span>
      {children}
    </div>
  );
}

function Figure({ text }: { text: string }) {
  const [figure, unit] = f.split(text);
  return (
    <>
      {figure}
      {unit && <small>{unit}</small>}
    </>
  );
}
