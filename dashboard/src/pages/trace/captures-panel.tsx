/** What was measured of a transaction on demand: line timings in their source, and the memory it kept. */
import { CAPTURE_NAMES } from '../../api/memory.ts';
import type { TraceAnswer } from '../../api/types.ts';
import { Keeps } from '../../parts/keeps.tsx';
import { LineTimes } from '../../parts/linetimes.tsx';
import { Panel } from '../../parts/panel.tsx';
import { useQuery } from '../../state/query.ts';

export default function CapturesPanel({ data }: { data: TraceAnswer }) {
  const query = useQuery();
  const { captured, memory_capture: memory, lines, callgraph, trace } = data;
  const way = captured?.capture;
  return (
    <Panel
      id="captures"
      title="Measured on demand"
      sub={
        way
          ? `${CAPTURE_NAMES[way]}${captured.arm ? ', armed from a page or the command line' : ', asked for by the request'}`
          : undefined
      }
      tools={
        <a class="link" href={`${query.link('endpoint', { name: trace.name, kind: trace.kind, service: trace.service })}#closer`}>
          All that was measured of this endpoint
        </a>
      }
    >
      {memory && <Keeps kept={memory} />}
      {lines.length > 0 && <LineTimes functions={lines} />}
      {way === 'cprofile' && (
        <p class="empty-line">
          {callgraph
            ? 'Every call of it was counted and timed: the functions stand below, under cProfile. Its duration is inflated by that.'
            : 'It was armed, but nothing was written of it.'}
        </p>
      )}
      {way && way !== 'cprofile' && !memory && !lines.length && (
        <p class="empty-line">It was armed, but nothing of it was kept.</p>
      )}
    </Panel>
  );
}
