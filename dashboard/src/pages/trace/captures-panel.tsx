/** What was measured of a transaction on demand: who called whom, line timings in their source, the memory it kept. */
import { CAPTURE_NAMES, type CapturesAnswer } from '../../api/memory.ts';
import type { TraceAnswer } from '../../api/trace.ts';
import { useAnswer } from '../../api/use.ts';
import { Callgraph } from '../../parts/callgraph.tsx';
import { Keeps } from '../../parts/keeps.tsx';
import { LineTimes } from '../../parts/linetimes.tsx';
import { Panel } from '../../parts/panel.tsx';
import { Failure } from '../../parts/states.tsx';
import { useQuery } from '../../state/query.ts';
import { saved } from '../../state/saved.ts';

export default function CapturesPanel({ data }: { data: TraceAnswer }) {
  const query = useQuery();
  const { captured, memory_capture: memory, lines, trace } = data;
  const way = captured?.capture;
  return (
    <Panel
      id="captures"
      title="Measured on demand"
      sub={
        way && `${CAPTURE_NAMES[way]}${captured.arm ? ', armed from a page or the command line' : ', asked for by the request'}`
      }
      tools={
        <a class="link" href={`${query.link('endpoint', { name: trace.name, kind: trace.kind, service: trace.service })}#closer`}>
          All that was measured of this endpoint
        </a>
      }
    >
      {memory && <Keeps kept={memory} />}
      {lines.length > 0 && <LineTimes functions={lines} />}
      {way === 'cprofile' && !saved && <Called id={trace.id} />}
      {way && way !== 'cprofile' && !memory && !lines.length && (
        <p class="empty-line">It was armed, but nothing of it was kept.</p>
      )}
    </Panel>
  );
}

/** Callers and callees, which the transaction's own answer does not hold. */
function Called({ id }: { id: string }) {
  const { data, error, reload } = useAnswer<CapturesAnswer>('captures', { id, service: null, release: null }, { still: true });
  if (error) return <Failure error={error} what="who called whom" retry={reload} />;
  if (!data) return null;
  return data.callgraph ? (
    <Callgraph graph={data.callgraph} />
  ) : (
    <p class="empty-line">It was armed, but nothing was written of it.</p>
  );
}
