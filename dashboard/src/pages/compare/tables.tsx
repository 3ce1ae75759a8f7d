/** What else differs: latency, time by kind, queries. */
import { useState } from 'preact/hooks';
import type { Became, CompareAnswer, KindPair, StatementPair } from '../../api/compare.ts';
import { Overlaid } from '../../draw/overlaid.tsx';
import { Diverging, Signed } from '../../parts/delta.tsx';
import { Panel } from '../../parts/panel.tsx';
import { PlaceLink } from '../../parts/source.tsx';
import { type Column, Table } from '../../parts/table.tsx';
import { useQuery } from '../../state/query.ts';
import * as f from '../../text/format.ts';
import { KIND_NAMES, KIND_WORDS, kindClass } from '../../text/kinds.ts';
import { brief } from '../../text/sql.ts';
import { Pair, Status } from './bits.tsx';

export function Distribution({ data }: { data: CompareAnswer }) {
  const { kpi } = data;
  return (
    <Panel
      id="histogram"
      title="Distribution"
      sub="calls by latency, each side as shares of its own"
      tools={
        <span class="legend">
          <span>
            <i class="swatch was-swatch" />
            before
          </span>
          <span>
            <i class="swatch now-swatch" />
            after
          </span>
        </span>
      }
    >
      <Overlaid data={data.histogram} was={kpi.p95_ms.before} now={kpi.p95_ms.after} />
    </Panel>
  );
}

export function Kinds({ data }: { data: CompareAnswer }) {
  const most = Math.max(...data.kinds.map((row) => Math.abs(row.change_ms ?? 0)), 0);
  const spans = data.kinds.some((row) => row.before_spans !== null || row.after_spans !== null);
  const sure = (row: KindPair) => (!data.thin || Boolean(data.a.trace && data.b.trace)) && notable(row);
  const columns: Column<KindPair>[] = [
    {
      id: 'kind',
      title: 'Kind',
      cell: (row) => (
        <span class="names" data-tip={KIND_WORDS[row.kind]}>
          <i class={`swatch ${kindClass(row.kind)}`} />
          {KIND_NAMES[row.kind] ?? row.kind}
        </span>
      ),
    },
    ...(spans
      ? [
          {
            id: 'spans',
            title: 'Spans',
            tip: 'How many spans of this kind there were',
            right: true,
            cell: (row: KindPair) => <Pair before={f.whole(row.before_spans)} after={f.whole(row.after_spans)} />,
          },
        ]
      : []),
    {
      id: 'before',
      title: 'Before',
      tip: 'All time of this kind ÷ calls before',
      right: true,
      cell: (row) => <span class="soft">{f.ms(row.before_ms)}</span>,
    },
    { id: 'after', title: 'After', tip: 'All time of this kind ÷ calls after', right: true, cell: (row) => f.ms(row.after_ms) },
    { id: 'change', title: 'Change', right: true, cell: (row) => <Signed ms={row.change_ms} sure={sure(row)} /> },
    { id: 'bar', title: 'less · more', cell: (row) => <Diverging ms={row.change_ms} most={most} sure={sure(row)} /> },
  ];
  return (
    <Panel id="kinds" title={spans ? 'Spans by kind' : 'Time by kind, per call'}>
      {data.kinds.length ? (
        <Table label="Time by kind" columns={columns} rows={data.kinds} keyOf={(row) => row.kind} height={34} />
      ) : (
        <p class="empty-line">No time on either side.</p>
      )}
    </Panel>
  );
}

/** A tenth is more than what kinds vary by themselves; nothing is tested here, so nothing less is coloured. */
const notable = ({ before_ms: before, change_ms: change }: KindPair): boolean =>
  Math.abs(change ?? 0) > 0.1 * Math.max(before ?? 0, 0.1);

export function Statements({ data }: { data: CompareAnswer }) {
  const query = useQuery();
  const [all, showAll] = useState(false);
  const told = data.statements.filter((row) => row.status !== 'same');
  const rows = all ? data.statements : told;
  const same = data.statements.length - told.length;
  const most = Math.max(...rows.map((row) => Math.abs(row.change_ms)), 0);
  const hrefOf = (row: StatementPair) => query.link('query', { id: row.id, range: query.get('range') || '7d' });
  const two = Boolean(data.a.trace && data.b.trace);
  const idle = !data.a.count ? 'before' : !data.b.count ? 'after' : '';
  const sure = (row: StatementPair) => (!data.thin || two) && row.status !== 'same';
  const runs = (value: number, calls: number) => (!calls ? f.NONE : Number.isInteger(value) ? f.mean(value) : f.rate(value));
  const time = (value: number, calls: number) => f.ms(calls ? value : null);
  const columns: Column<StatementPair>[] = [
    {
      id: 'status',
      title: 'Became',
      cell: (row) => (idle ? <span class="faint">{f.NONE}</span> : <Status status={row.status} />),
    },
    {
      id: 'text',
      title: 'Query',
      wide: true,
      cell: (row) => (
        <span class="mono cut" title={f.tame(row.text, 600)}>
          {row.id ? (
            <a class="statement" href={hrefOf(row)}>
              {brief(row.text)}
            </a>
          ) : (
            brief(row.text)
          )}
        </span>
      ),
    },
    {
      id: 'where',
      title: 'Sent by',
      tip: 'The line that runs it most',
      cell: (row) => row.where && <PlaceLink place={row.where} short />,
    },
    {
      id: 'runs',
      title: 'Runs a call',
      tip: 'Runs ÷ calls of each side',
      right: true,
      cell: (row) => (
        <Pair before={runs(row.before.runs_per_call, data.a.count)} after={runs(row.after.runs_per_call, data.b.count)} />
      ),
    },
    {
      id: 'each',
      title: 'Each',
      formula: 'each',
      right: true,
      cell: (row) => <Pair before={f.ms(row.before.mean_ms)} after={f.ms(row.after.mean_ms)} />,
    },
    {
      id: 'time',
      title: 'Time a call',
      tip: 'All its runs ÷ calls of each side',
      right: true,
      cell: (row) => (
        <Pair before={time(row.before.ms_per_call, data.a.count)} after={time(row.after.ms_per_call, data.b.count)} />
      ),
    },
    {
      id: 'change',
      title: 'Change',
      right: true,
      cell: (row) => (
        <b>
          <Signed ms={idle ? null : row.change_ms} sure={sure(row)} />
        </b>
      ),
    },
    {
      id: 'bar',
      title: 'less · more',
      cell: (row) => <Diverging ms={data.thin && !two ? null : row.change_ms} most={most} sure={sure(row)} />,
    },
  ];
  return (
    <Panel id="statements" title="Queries" sub={idle ? `there were no calls ${idle}: nothing to compare with` : count(told)}>
      {rows.length > 0 ? (
        <Table
          label="Queries that appeared, vanished or changed"
          columns={columns}
          rows={rows}
          keyOf={(row) => row.text}
          height={40}
        />
      ) : (
        <p class="empty-line">{same ? 'No query appeared, vanished or changed.' : 'No queries on either side.'}</p>
      )}
      {same > 0 && (
        <p class="more">
          <button type="button" class="button" aria-expanded={all} onClick={() => showAll(!all)}>
            {all ? 'Hide' : 'Show'} {f.whole(same)} that stayed the same
          </button>
        </p>
      )}
    </Panel>
  );
}

function count(rows: StatementPair[]): string {
  const of = (status: Became) => rows.filter((row) => row.status === status).length;
  return `${f.whole(of('appeared'))} appeared, ${f.whole(of('vanished'))} vanished, ${f.whole(of('changed'))} changed`;
}
