/** What was measured on demand of an endpoint: the transactions, and what they say together. */
import { useState } from 'preact/hooks';
import { CAPTURE_NAMES, type Capture, type CapturesAnswer } from '../api/memory.ts';
import { useQuery } from '../state/query.ts';
import * as f from '../text/format.ts';
import { Callgraph } from './callgraph.tsx';
import { Keeps } from './keeps.tsx';
import { LineTimes } from './linetimes.tsx';
import { Tabs } from './panel.tsx';

const MOST = 24;
const WAYS: Capture[] = ['cprofile', 'lines', 'memory'];

export function Captured({ data, only }: { data: CapturesAnswer; only?: Capture }) {
  const count = (way: Capture) => data.captures.filter((one) => one.capture === way).length;
  const ways = WAYS.filter((way) => count(way) > 0 && (!only || way === only));
  const [chosen, choose] = useState<Capture | null>(null);
  if (!ways.length) return null;
  const way = chosen && ways.includes(chosen) ? chosen : ways[0]!;
  const result = (
    <>
      <Transactions data={data} way={way} />
      <Result data={data} way={way} />
    </>
  );
  if (ways.length === 1 && only) return result;
  return (
    <Tabs
      label="Results by what was measured"
      tabs={ways.map((id) => ({ id, title: CAPTURE_NAMES[id], count: count(id) }))}
      current={way}
      select={choose}
    >
      {result}
    </Tabs>
  );
}

function Transactions({ data, way }: { data: CapturesAnswer; way: Capture }) {
  const query = useQuery();
  const rows = data.captures.filter((one) => one.capture === way);
  return (
    <p class="captured row">
      <span class="muted">
        {rows.length > 1 ? `Summed over ${f.plural(rows.length, 'transaction')}:` : 'Of one transaction:'}
      </span>
      {rows.slice(0, MOST).map((one) => (
        <a
          key={one.id}
          class="chip link"
          href={query.link('trace', { id: one.id })}
          data-tip={`${f.tame(one.name, 80)}, ${f.exact(one.t)}, pid ${one.pid} on ${f.tame(one.host, 60)}${one.release ? `, release ${f.tame(one.release, 40)}` : ''}`}
        >
          {f.moment(one.t)} {f.ms(one.duration_ms)}
          {one.kept_kb !== null && `, ${f.kb(one.kept_kb, true)}`}
          {one.overlap > 0 && way === 'memory' && ' *'}
        </a>
      ))}
      {rows.length > MOST && <span class="muted">and {f.whole(rows.length - MOST)} older</span>}
      {way === 'memory' && rows.some((one) => one.overlap > 0) && (
        <span class="muted">* others ran at the same time: what they allocated is counted too</span>
      )}
    </p>
  );
}

function Result({ data, way }: { data: CapturesAnswer; way: Capture }) {
  if (way === 'cprofile') return data.callgraph && <Callgraph graph={data.callgraph} />;
  if (way === 'lines') return data.lines && <LineTimes functions={data.lines.functions} of={data.lines.transactions} />;
  return data.memory && <Keeps kept={data.memory} of={data.memory.transactions} />;
}
