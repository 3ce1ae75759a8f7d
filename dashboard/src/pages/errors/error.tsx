/** One error: how the code came there, what its failures share, and when they happen. */
import type { ErrorAnswer } from '../../api/errors.ts';
import { useAnswer } from '../../api/use.ts';
import { later } from '../../parts/later.tsx';
import { Panel } from '../../parts/panel.tsx';
import { Loaded } from '../../parts/states.tsx';
import { Table } from '../../parts/table.tsx';
import { traceColumns } from '../../parts/traces.tsx';
import { useQuery } from '../../state/query.ts';
import * as f from '../../text/format.ts';
import { Header } from './header.tsx';
import { Log } from './log.tsx';
import { Shared } from './shared.tsx';
import { Stack } from './stack.tsx';

// its chart is the heaviest part of the page
const Trend = later<{ data: ErrorAnswer }>(() => import('./trend.tsx').then((module) => ({ default: module.Trend })), 220);

export default function OneError() {
  const query = useQuery();
  const [type, frame] = [query.get('type'), query.get('frame')];
  const answer = useAnswer<ErrorAnswer>('error', { type, frame }, { skip: !type });
  if (!type)
    return (
      <div class="panel empty">
        <h1 class="title">No error chosen</h1>
        <p>
          <a class="link" href={query.link('errors')}>
            Choose one from the list.
          </a>
        </p>
      </div>
    );
  if (answer.error?.status === 404 && !answer.data) return <Gone type={type} />;
  return (
    <Loaded answer={answer} what={f.tame(type, 80)} height={600}>
      {(data) => (
        <>
          <Header data={data} path={answer.path} />
          <div class="columns main-side">
            <Stack data={data} />
            <div class="stack">
              <Trend data={data} />
              <Shared data={data} />
            </div>
          </div>
          <Log data={data} />
          <Traces data={data} />
        </>
      )}
    </Loaded>
  );
}

/** It did not happen in this range: one may have come from an older link. */
function Gone({ type }: { type: string }) {
  const query = useQuery();
  return (
    <div class="panel empty">
      <h1 class="title">No {f.tame(type, 80)} here in this range</h1>
      <p>It did not happen, or is not among the newest 2,000 failures, which are looked at.</p>
      <p class="row">
        {query.get('range') !== '7d' && (
          <button type="button" class="button" onClick={() => query.set({ range: '7d', from: null, to: null })}>
            Look at the last 7d
          </button>
        )}
        <a class="button" href={query.link('errors')}>
          All errors
        </a>
      </p>
    </div>
  );
}

function Traces({ data }: { data: ErrorAnswer }) {
  const query = useQuery();
  const hrefOf = (row: { id: string }) => query.link('trace', { id: row.id });
  return (
    <Panel id="traces" title="Transactions that failed so" sub={`the newest ${f.whole(data.traces.length)} of ${f.whole(data.error.count)}`}>
      <Table
        label="Transactions that failed so, arrow keys move, Enter opens"
        columns={traceColumns(hrefOf)}
        rows={data.traces}
        keyOf={(row) => row.id}
        hrefOf={hrefOf}
        height={40}
      />
    </Panel>
  );
}
