/** Measuring on demand what the next calls of an endpoint keep, with the results in place. */
import type { CapturesAnswer, MemoryAnswer } from '../../api/memory.ts';
import { useAnswer } from '../../api/use.ts';
import { Arming } from '../../parts/arming.tsx';
import { Captured } from '../../parts/captures.tsx';
import { Icon } from '../../parts/icon.tsx';
import { Panel } from '../../parts/panel.tsx';
import { Failure } from '../../parts/states.tsx';
import { useQuery } from '../../state/query.ts';
import * as f from '../../text/format.ts';

export default function Capture({ data }: { data: MemoryAnswer }) {
  const query = useQuery();
  const names = [...new Set(data.endpoints.map((one) => one.name))];
  const wanted = query.get('focus') || names[0] || '';
  const answer = useAnswer<CapturesAnswer>('captures', { name: wanted, capture: 'memory' }, { skip: !wanted, still: true });
  const found = answer.data;
  if (!wanted) return null;
  return (
    <Panel
      id="capture"
      title="Measure what stays"
      sub="allocations by line, growth by type, and who holds it"
      tools={
        <a class="button" href={`api/v1/${answer.path}`}>
          JSON
        </a>
      }
    >
      <p class="row choose">
        <label class="pick">
          <span class="sr-only">Endpoint to measure</span>
          <select
            id="capture-endpoint"
            value={wanted}
            onChange={(event) => query.set({ focus: event.currentTarget.value }, { replace: true })}
          >
            {[...new Set([wanted, ...names])].map((name) => (
              <option key={name} value={name}>
                {f.tame(name, 100)}
              </option>
            ))}
          </select>
          <Icon name="down" />
        </label>
      </p>
      <Arming key={wanted} name={wanted} service={query.get('service')} captures={['memory']} told={answer.reload} />
      {answer.error && <Failure error={answer.error} what="what was measured" retry={answer.reload} />}
      {found && found.captures.length > 0 ? (
        <Captured data={found} only="memory" />
      ) : (
        found && (
          <p class="empty-line">
            No call of {f.tame(wanted, 100)} was measured on demand in this range. Results stand here as they come.
          </p>
        )
      )}
    </Panel>
  );
}
