/** Traces: which transactions were kept, slowest or latest first? */
import type { TracesAnswer } from '../api/traces.ts';
import type { TraceRow } from '../api/types.ts';
import { useAnswer } from '../api/use.ts';
import { More, Toolbar, useLimit } from '../parts/list.tsx';
import { Panel, Segments } from '../parts/panel.tsx';
import { Empty, Loaded } from '../parts/states.tsx';
import { Table } from '../parts/table.tsx';
import { traceColumns } from '../parts/traces.tsx';
import { useQuery } from '../state/query.ts';
import * as f from '../text/format.ts';

const FILTERS = ['name', 'kind', 'min_ms', 'max_ms', 'status', 'failed', 'kept', 'q'];

export default function Traces() {
  const query = useQuery();
  const sort = query.get('sort') || 'duration';
  const filters = Object.fromEntries(FILTERS.map((name) => [name, query.get(name)]));
  const answer = useAnswer<TracesAnswer>('traces', { ...filters, sort, limit: useLimit() });
  const active = FILTERS.filter((name) => query.get(name) && name !== 'q' && name !== 'failed' && name !== 'kept');
  const hrefOf = (row: TraceRow) => query.link('trace', { id: row.id });
  const toggle = (name: string) => query.set({ [name]: query.get(name) ? null : 1 });
  return (
    <Loaded answer={answer} what="the traces" height={520}>
      {(data) => (
        <Panel
          id="traces"
          level={1}
          title="Traces"
          sub={`${f.plural(data.traces.length, 'transaction')}${data.cursor ? ', and more' : ''}`}
        >
          <Toolbar path={answer.path} search="Text in path or context" placeholder="Path or context">
            <Segments
              label="Order"
              order
              options={[
                { id: 'duration', title: 'Slowest' },
                { id: 'time', title: 'Latest' },
              ]}
              current={sort as 'duration'}
              select={(next) => query.set({ sort: next })}
            />
            <button type="button" class="button" aria-pressed={query.get('failed') === '1'} onClick={() => toggle('failed')}>
              Failed only
            </button>
            <button
              type="button"
              class="button"
              aria-pressed={query.get('kept') === '1'}
              onClick={() => toggle('kept')}
              data-tip="Kept with spans and samples: slow, failed, first of a release, larger in memory than usual, with an insight, or picked evenly"
            >
              With detail only
            </button>
            {active.map((name) => (
              <button key={name} type="button" class="chip removable" onClick={() => query.set({ [name]: null })}>
                {label(name, query.get(name))} <span aria-hidden="true">×</span>
                <span class="sr-only"> remove</span>
              </button>
            ))}
          </Toolbar>
          {data.traces.length ? (
            <Table
              label="Traces, arrow keys move, Enter opens"
              columns={traceColumns(hrefOf)}
              rows={data.traces}
              keyOf={(row) => row.id}
              height={40}
              hrefOf={hrefOf}
            />
          ) : (
            <Empty common={data} noun="transactions" filters={FILTERS} />
          )}
          {data.searched && <Searched searched={data.searched} from={data.window.from} />}
          <More cursor={data.cursor} />
        </Panel>
      )}
    </Loaded>
  );
}

/** Says how far back a search went, and goes on from there. */
function Searched({ searched, from }: { searched: NonNullable<TracesAnswer['searched']>; from: number }) {
  const query = useQuery();
  const further = () => query.set({ range: null, from, to: Math.ceil(searched.since) });
  return (
    <p class="hint" role="status">
      Few transactions pass, so only the newest {f.whole(searched.looked_at)} of {f.whole(searched.of)} in this range were
      looked through for them, back to {f.moment(searched.since)}.{' '}
      <button type="button" class="button" onClick={further}>
        Look further back
      </button>
    </p>
  );
}

function label(name: string, value: string): string {
  if (name === 'min_ms') return `at least ${f.ms(Number(value))}`;
  if (name === 'max_ms') return `at most ${f.ms(Number(value))}`;
  return name === 'name' ? f.tame(value, 60) : `${name} ${f.tame(value, 40)}`;
}
