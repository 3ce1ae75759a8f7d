/** How a database goes about a statement: asked on a click, kept, and held against the release before. */
import { useState } from 'preact/hooks';
import type { ApiError } from '../../api/client.ts';
import type { Plan, PlanAnswer, QueryAnswer, Step } from '../../api/queries.ts';
import { send } from '../../api/send.ts';
import { Moment } from '../../parts/bits.tsx';
import { Icon } from '../../parts/icon.tsx';
import { Panel } from '../../parts/panel.tsx';
import { type Column, Table } from '../../parts/table.tsx';
import * as f from '../../text/format.ts';

const HOW = [
  'APM_AGENT_EXPLAIN=postgresql://reader:password@localhost/shop',
  '# several, with names: shop=postgresql://…,old=mysql://…,cache=sqlite:////data/cache.db',
];

export function Plans({ data, reload }: { data: QueryAnswer; reload: () => void }) {
  const [fresh, setFresh] = useState<PlanAnswer | null>(null);
  const unkept = fresh?.not_kept ? [fresh.plan] : [];
  const [first, ...older] = [...unkept, ...data.plans];
  const asks = !data.explain.refused && data.explain.databases.length > 0;
  return (
    <Panel id="plans" title="Plan" sub="how the database goes about it; asked only when you press, never run">
      <div class="plans">
        {data.explain.refused ? (
          <p>
            No plan for this one. <span class="muted">{f.tame(data.explain.refused, 300)}</span>
          </p>
        ) : asks ? (
          <Ask
            data={data}
            told={(answer) => {
              setFresh(answer);
              reload();
            }}
          />
        ) : (
          <Off />
        )}
        {fresh?.not_kept && <p class="muted">The plan is not kept: {f.tame(fresh.not_kept, 300)}</p>}
        <p class="sr-only" role="status">
          {fresh ? `${f.tame(fresh.plan.database, 60)} answered with a plan of ${f.plural(fresh.plan.steps.length, 'step')}.` : ''}
        </p>
        {first && <One plan={first} />}
        {older.length > 0 && (
          <details>
            <summary>{f.plural(older.length, 'earlier plan')}</summary>
            {older.map((plan) => (
              <One key={plan.id} plan={plan} />
            ))}
          </details>
        )}
      </div>
    </Panel>
  );
}

function Off() {
  return (
    <>
      <p>
        Plans are off: no database is named. Name one in the setting <code>explain</code>, and start again:
      </p>
      <pre role="group" tabIndex={0} aria-label="How to turn plans on">
        {HOW.join('\n')}
      </pre>
      <p class="muted">
        A user that may only read is best. It is asked in a read-only transaction of at most 3 s, for a plan alone, and its
        address is never shown or kept. Or copy EXPLAIN above and run it yourself.
      </p>
    </>
  );
}

function Ask({ data, told }: { data: QueryAnswer; told: (answer: PlanAnswer) => void }) {
  const { databases } = data.explain;
  const [name, choose] = useState(databases[0]!.name);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const database = databases.find((one) => one.name === name) ?? databases[0]!;
  const ask = async () => {
    if (busy) return;
    setBusy(true);
    setError(null);
    try {
      told(await send<PlanAnswer>('plan', { statement: data.id, database: database.name }));
    } catch (failure) {
      setError(failure as ApiError);
    }
    setBusy(false);
  };
  return (
    <>
      <p class="row">
        {databases.length > 1 && (
          <label class="pick">
            <span class="muted">Database</span>
            <select aria-label="Database" value={database.name} onChange={(event) => choose(event.currentTarget.value)}>
              {databases.map((one) => (
                <option key={one.name} value={one.name}>
                  {f.tame(one.name, 60)}
                </option>
              ))}
            </select>
            <Icon name="down" />
          </label>
        )}
        <button type="button" class="button primary" aria-disabled={busy} onClick={ask}>
          {busy ? 'Asking…' : `Ask ${f.tame(database.name, 60)} for the plan`}
        </button>
        <span class="muted">{database.engine}, read-only, at most 3 s, nothing is run</span>
      </p>
      {error && (
        <p class="refusal" role="alert">
          {f.tame(error.message, 500)}
        </p>
      )}
    </>
  );
}

function One({ plan }: { plan: Plan }) {
  const columns: Column<Step>[] = [
    {
      id: 'step',
      title: 'Step',
      cell: (step) => (
        <span class="step" style={{ paddingLeft: `${step.depth * 18}px` }}>
          <span class="mono">
            {step.depth > 0 && <span aria-hidden="true">└ </span>}
            {f.tame(step.text, 400)}
          </span>
          {step.scan && (
            <span class="flag warn" data-tip="It reads all rows of the table. An index on what it filters by may help.">
              whole table
            </span>
          )}
          {step.details.length > 0 && <span class="faint mono">{step.details.map((one) => f.tame(one, 400)).join(' · ')}</span>}
        </span>
      ),
    },
  ];
  if (plan.steps.some((step) => step.rows !== null))
    columns.push({ id: 'rows', title: 'Rows', tip: "The database's guess", right: true, cell: (step) => f.whole(step.rows) });
  if (plan.steps.some((step) => step.cost !== null))
    columns.push({
      id: 'cost',
      title: 'Cost',
      tip: "The database's own unit, with all that is below",
      right: true,
      cell: (step) => f.whole(step.cost),
    });
  return (
    <div class="plan">
      <p class="row">
        <b>{f.tame(plan.database, 60)}</b>
        <span>{f.tame(plan.server, 60)}</span>
        <span>release {plan.release ? f.tame(plan.release, 40) : 'not known'}</span>
        <Moment at={plan.at} />
        <Changed plan={plan} />
      </p>
      {plan.before?.changed && <Difference before={plan.before} />}
      <Table
        label={`Plan of ${f.tame(plan.database, 60)}, ${f.exact(plan.at)}`}
        columns={columns}
        rows={plan.steps}
        keyOf={(step) => String(plan.steps.indexOf(step))}
        height={34}
      />
      <p class="muted">{f.tame(plan.note, 300)}</p>
    </div>
  );
}

const since = (before: NonNullable<Plan['before']>): string =>
  `${before.release ? `release ${f.tame(before.release, 40)}` : 'an unknown release'}, ${f.moment(before.at)}`;

function Changed({ plan: { before } }: { plan: Plan }) {
  if (!before) return <span class="chip">first plan kept</span>;
  return before.changed ? (
    <span class="chip warn">changed since {since(before)}</span>
  ) : (
    <span class="chip good">same as in {since(before)}</span>
  );
}

function Difference({ before }: { before: NonNullable<Plan['before']> }) {
  return (
    <ul class="difference" aria-label="What changed">
      {before.gone.map((line, i) => (
        <li key={`-${i}`} class="mono">
          <span class="flag">was</span> {f.tame(line, 500)}
        </li>
      ))}
      {before.new.map((line, i) => (
        <li key={`+${i}`} class="mono">
          <span class="flag warn">now</span> {f.tame(line, 500)}
        </li>
      ))}
    </ul>
  );
}
