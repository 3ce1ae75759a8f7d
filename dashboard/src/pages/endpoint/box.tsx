/** An endpoint's latency, and what a box drawn on it leads to. */
import type { EndpointAnswer } from '../../api/endpoint.ts';
import { Latency, inBox, useBox } from '../../parts/latency.tsx';
import { useQuery } from '../../state/query.ts';
import type { Changes } from '../../state/url.ts';
import * as f from '../../text/format.ts';

export function EndpointLatency({ data, identity }: { data: EndpointAnswer; identity: Changes }) {
  const query = useQuery();
  const [box, select] = useBox(data);
  return (
    <Latency
      data={data}
      title="Latency of every call"
      sub="drag a box for its traces"
      noun="call"
      count={data.endpoint.count}
      errors={data.endpoint.errors}
      box={box}
      select={select}
    >
      {box && (
        <p class="selection" role="status">
          <b>{f.plural(box.count, 'call')}</b> of {f.ms(box.lowMs)} to {f.ms(box.highMs)}, {f.clock(box.from)} to{' '}
          {f.clock(box.to)}
          <a class="link" href={query.link('traces', { ...identity, ...inBox(box) })}>
            Open their traces
          </a>{' '}
          <span class="muted">
            <kbd>Esc</kbd> clears
          </span>
        </p>
      )}
    </Latency>
  );
}
