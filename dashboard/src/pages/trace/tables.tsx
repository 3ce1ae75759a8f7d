/** Below the timeline: lines and functions by time, statements, and what the app said about the transaction. */
import { useMemo, useState } from 'preact/hooks';
import type { CallgraphFunction, TraceAnswer } from '../../api/trace.ts';
import type { Statement } from '../../api/types.ts';
import { hotLines } from '../../draw/trees.ts';
import { Bar } from '../../parts/bits.tsx';
import { HotLines } from '../../parts/hotlines.tsx';
import { Panel, Tabs } from '../../parts/panel.tsx';
import { Sql, placeText } from '../../parts/source.tsx';
import { type Column, Table } from '../../parts/table.tsx';
import { useQuery } from '../../state/query.ts';
import * as f from '../../text/format.ts';
import { brief } from '../../text/sql.ts';

const MANY = 5;
const FIRST = 15;

export function Calls({ data }: { data: TraceAnswer }) {
  const lines = useMemo(
    () =>
      hotLines(
        data.frames,
        data.samples.filter((sample) => sample.state !== 'waiting'),
      )
        .filter((line) => line.own_ms > 0 || line.category === 'app')
        .map((line) => ({ ...line, source: sourceOf(data, line.file, line.line) })),
    [data],
  );
  const { callgraph } = data;
  const [tab, select] = useState<'lines' | 'functions'>(callgraph ? 'functions' : 'lines');
  const tabs = [
    { id: 'lines' as const, title: 'Hot lines', count: lines.length },
    ...(callgraph ? [{ id: 'functions' as const, title: 'cProfile', count: callgraph.functions.length }] : []),
  ];
  return (
    <section class="panel" aria-label="Code by time">
      <Tabs label="Code by time" tabs={tabs} current={tab} select={select}>
        {tab === 'functions' && callgraph ? (
          <Functions callgraph={callgraph} />
        ) : lines.length ? (
          <HotLines lines={lines} rows={15} />
        ) : (
          <p class="empty-line">No samples, so no lines. Spans are measured whether samples fall or not.</p>
        )}
      </Tabs>
    </section>
  );
}

const sourceOf = ({ source }: TraceAnswer, file: string, line: number): string | null =>
  source
    .find((block) => block.file === file && block.lines.some((one) => one.number === line))
    ?.lines.find((one) => one.number === line)?.text ?? null;

function Functions({ callgraph }: { callgraph: NonNullable<TraceAnswer['callgraph']> }) {
  const most = Math.max(...callgraph.functions.map((one) => one.own_ms), 1e-9);
  const columns: Column<CallgraphFunction>[] = [
    {
      id: 'function',
      title: 'Function',
      wide: true,
      cell: (one) => (
        <span class="mono" title={`${f.tame(one.file)}:${one.line}`}>
          <span class={one.category === 'app' ? 'own' : ''}>{f.tame(one.function, 100)}</span>{' '}
          <span class="faint">
            {f.shortPath(one.file)}:{one.line}
          </span>
        </span>
      ),
    },
    { id: 'calls', title: 'Calls', right: true, cell: (one) => f.whole(one.calls) },
    {
      id: 'own',
      title: 'Own time',
      tip: 'Time inside the function, without what it called; inflated by the measuring itself',
      cell: (one) => (
        <Bar share={one.own_ms / most} text={f.ms(one.own_ms)} tone={one.category === 'app' ? 'k-python' : 'k-wait'} />
      ),
    },
    { id: 'total', title: 'Cumulative', tip: 'With everything it called', right: true, cell: (one) => f.ms(one.total_ms) },
  ];
  const [all, showAll] = useState(false);
  const shown = all ? callgraph.functions : callgraph.functions.slice(0, FIRST);
  return (
    <>
      <p class="hint">{f.tame(callgraph.note, 300)}</p>
      <Table
        label="Functions by own time"
        columns={columns}
        rows={shown}
        keyOf={(one) => `${one.file}:${one.line}:${one.function}`}
        height={30}
      />
      {callgraph.functions.length > shown.length && (
        <p class="more">
          <button type="button" class="button" onClick={() => showAll(true)}>
            All {f.whole(callgraph.functions.length)} functions
          </button>
        </p>
      )}
    </>
  );
}

export function Data({ data }: { data: TraceAnswer }) {
  const runs = data.statements.reduce((sum, one) => sum + one.runs, 0);
  return (
    <div class="stack">
      <Panel
        id="statements"
        title="SQL"
        sub={runs ? `${f.plural(runs, 'run')} of ${f.plural(data.statements.length, 'statement')}` : undefined}
      >
        <Statements data={data} />
      </Panel>
      <Panel id="context" title="Context" sub="what the app said about it">
        <Context entries={Object.entries(data.trace.context)} />
      </Panel>
    </div>
  );
}

function Statements({ data }: { data: TraceAnswer }) {
  const query = useQuery();
  const [open, setOpen] = useState<string | null>(null);
  const most = Math.max(...data.statements.map((one) => one.total_ms), 1e-9);
  const columns: Column<Statement>[] = [
    {
      id: 'text',
      title: 'Statement',
      wide: true,
      cell: (one) => (
        <span class="twoline">
          <button
            type="button"
            class="quiet mono cut"
            aria-expanded={open === one.id}
            onClick={() => setOpen(open === one.id ? null : one.id)}
          >
            {f.tame(brief(one.text), 300)}
          </button>
          {one.where && <span class="faint mono">{f.shortPath(placeText(one.where))}</span>}
        </span>
      ),
    },
    {
      id: 'runs',
      title: 'Runs',
      right: true,
      cell: (one) => (one.runs > MANY ? <b class="bad">{f.whole(one.runs)}</b> : f.whole(one.runs)),
    },
    { id: 'total', title: 'Time', cell: (one) => <Bar share={one.total_ms / most} text={f.ms(one.total_ms)} tone="k-db" /> },
    { id: 'mean', title: 'Each', formula: 'each', right: true, cell: (one) => f.ms(one.mean_ms) },
  ];
  const shown = data.statements.find((one) => one.id === open);
  if (!data.statements.length) return <p class="empty-line">It ran no database statement.</p>;
  return (
    <>
      <Table
        label="Statements by time"
        columns={columns}
        rows={[...data.statements].sort((a, b) => b.total_ms - a.total_ms)}
        keyOf={(one) => one.id}
        height={40}
      />
      {shown && (
        <div class="block">
          <Sql text={shown.text} />
          <a class="link" href={query.link('query', { id: shown.id })}>
            All of this query
          </a>
        </div>
      )}
    </>
  );
}

function Context({ entries }: { entries: [string, unknown][] }) {
  const query = useQuery();
  if (!entries.length)
    return (
      <p class="empty-line">
        No context. The app adds it: <code>apm_agent.add_context(user=7)</code>.
      </p>
    );
  return (
    <dl class="context">
      {entries.map(([name, value]) => (
        <div key={name}>
          <dt class="mono">{f.tame(name, 80)}</dt>
          <dd class="mono" dir="auto">
            {name === 'enqueued_by' && typeof value === 'string' ? (
              <a class="link" href={query.link('trace', { id: value })}>
                {f.tame(value, 40)}
              </a>
            ) : (
              f.tame(typeof value === 'string' ? value : (JSON.stringify(value) ?? ''), 500)
            )}
          </dd>
        </div>
      ))}
    </dl>
  );
}
