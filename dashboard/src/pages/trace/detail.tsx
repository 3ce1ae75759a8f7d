/** What is marked in the timeline: its figures, its statement, the line that called it and a fix. */
import type { ComponentChildren } from 'preact';
import type { Span, TraceAnswer } from '../../api/trace.ts';
import type { Insight } from '../../api/types.ts';
import { Changed, PlaceLink, PythonLine, Source, Sql, blockAt } from '../../parts/source.tsx';
import * as f from '../../text/format.ts';
import { FORMULAS } from '../../text/formulas.ts';
import { KIND_NAMES } from '../../text/kinds.ts';
import { brief } from '../../text/sql.ts';
import type { Row } from './rows.ts';

export function Detail({ row, data }: { row: Row; data: TraceAnswer }) {
  const span = row.span ?? row.members[0] ?? null;
  return (
    <aside class="detail" aria-label="Marked span" aria-live="polite" data-marked>
      {row.members.length > 0 ? <Fold row={row} data={data} /> : span ? <One span={span} data={data} /> : <Whole data={data} />}
      {span && <Cause span={span} data={data} />}
    </aside>
  );
}

type Fact = [name: string, value: ComponentChildren, tip?: string];

const Facts = ({ facts }: { facts: Fact[] }) => (
  <dl class="kv">
    {facts.map(([name, value, tip]) => (
      <div key={name}>
        <dt data-tip={tip}>{name}</dt>
        <dd>{value}</dd>
      </div>
    ))}
  </dl>
);

function Fold({ row, data: { trace, statements } }: { row: Row; data: TraceAnswer }) {
  const { members } = row;
  const longest = Math.max(...members.map((span) => span.duration_ms));
  const statement = statementOf(members[0]!, statements);
  return (
    <>
      <span class="chip bad">
        {members.length} {row.kind === 'db' ? 'identical queries' : 'identical spans'}
      </span>
      {statement ? <Sql text={statement.text} /> : <h3>{f.tame(row.name, 300)}</h3>}
      <Facts
        facts={[
          [
            'Total',
            `${f.ms(row.durationMs)} (${f.percent(row.durationMs / trace.duration_ms, 0)})`,
            'Sum of the runs, and its share of this transaction',
          ],
          ['Each', `${f.ms(row.durationMs / members.length)}, up to ${f.ms(longest)}`, FORMULAS.each],
          ['From first to last', f.ms(row.endMs - row.startMs), 'Start of the first run to the end of the last'],
        ]}
      />
    </>
  );
}

function One({ span, data: { trace, statements } }: { span: Span; data: TraceAnswer }) {
  const statement = statementOf(span, statements);
  const tags = Object.entries(span.tags).slice(0, 20);
  return (
    <>
      <span class="chip">{KIND_NAMES[span.kind] ?? f.tame(span.kind, 30)}</span>
      {statement ? (
        <Sql text={statement.text} />
      ) : (
        <h3 class={span.kind === 'db' ? 'mono' : ''}>{f.tame(span.kind === 'db' ? brief(span.name) : span.name, 400)}</h3>
      )}
      <Facts
        facts={[
          ['Starts at', f.ms(span.start_ms)],
          ['Duration', `${f.ms(span.duration_ms)} (${f.percent(span.duration_ms / trace.duration_ms)})`],
          ['Own time', f.ms(span.self_ms), FORMULAS.selfTime],
          ...times(span),
          ...(statement && statement.runs > 1
            ? [['Runs of this statement', `${f.whole(statement.runs)}, ${f.ms(statement.total_ms)}`] as Fact]
            : []),
          ...tags.map(([name, value]): Fact => [
            f.tame(name, 40),
            <span class="mono">{f.tame(typeof value === 'string' ? value : (JSON.stringify(value) ?? ''), 200)}</span>,
          ]),
        ]}
      />
      {span.open && <p class="muted">It had not ended when the transaction did; its time is cut there.</p>}
    </>
  );
}

/** What only some libraries can tell of a span. */
function times(span: Span): Fact[] {
  const known: [string, number | null, string][] = [
    ['Time to first row', span.first_row_ms, FORMULAS.firstRow],
    ['Fetching rows', span.fetch_ms, FORMULAS.fetching],
    ['Time to first message', span.first_message_ms, FORMULAS.firstMessage],
  ];
  return known.flatMap(([name, ms, tip]): Fact[] => (ms === null ? [] : [[name, f.ms(ms), tip]]));
}

function Whole({ data: { trace, sampled } }: { data: TraceAnswer }) {
  const runtime = [trace.python && `Python ${trace.python}`, trace.worker, trace.server]
    .filter(Boolean)
    .map((text) => f.tame(String(text), 60))
    .join(', ');
  const facts: Fact[] = [
    ['Duration', f.ms(trace.duration_ms), FORMULAS.duration],
    ['CPU', f.ms(trace.cpu_ms), FORMULAS.cpu],
    ['Queries', f.whole(trace.queries)],
    ['RSS', trace.rss ? `${f.kb(trace.rss.before_kb)} to ${f.kb(trace.rss.after_kb)}` : f.NONE],
    ['Sampled', sampled ? `${f.ms(sampled.sampled_ms)} in ${f.plural(sampled.count, 'sample')}` : f.NONE, FORMULAS.sampled],
    ['Runs on', runtime || f.NONE],
  ];
  return (
    <>
      <span class="chip">Whole transaction</span>
      <h3 class="mono">{f.tame(trace.name, 300)}</h3>
      <Facts facts={facts} />
    </>
  );
}

/** The line that asked for it, its source where the file can still be trusted, and what would help. */
function Cause({ span, data }: { span: Span; data: TraceAnswer }) {
  const { where } = span;
  if (!where) return null;
  const block = blockAt(data.source, where);
  const insight = data.insights.find((one) => sameCause(one, span));
  return (
    <>
      <div>
        <div class="caption">
          <span>Called from{where.function ? ` ${f.tame(where.function, 60)}` : ''}</span>
          <PlaceLink place={where} short />
        </div>
        {block ? (
          <Source block={block} line={where.line} />
        ) : (
          where.source && (
            <pre class="source" role="group" tabIndex={0} aria-label="Source line">
              <span class="line hot">
                <span class="no">{where.line}</span>
                <PythonLine text={where.source} />
              </span>
            </pre>
          )
        )}
        {!block && <Changed place={where} />}
      </div>
      {insight?.fix && (
        <div>
          <div class="caption">Likely fix</div>
          <p class="fix box">{f.tame(insight.fix, 500)}</p>
        </div>
      )}
    </>
  );
}

const sameCause = (insight: Insight, span: Span): boolean =>
  Boolean(insight.where && span.where && insight.where.file === span.where.file && insight.where.line === span.where.line);

const statementOf = (span: Span, statements: TraceAnswer['statements']) =>
  span.statement ? statements.find((one) => one.id === span.statement!.id) : undefined;
