/** Which code takes the time: hot lines with their source beside a flame graph of all samples. */
import { useMemo, useState } from 'preact/hooks';
import type { EndpointAnswer } from '../../api/endpoint.ts';
import type { Clock, ProfileAnswer } from '../../api/profile.ts';
import { useAnswer } from '../../api/use.ts';
import { Flame } from '../../draw/flame.tsx';
import { profileTree } from '../../draw/trees.ts';
import { Clocks } from '../../parts/clocks.tsx';
import { HotLines } from '../../parts/hotlines.tsx';
import { Panel } from '../../parts/panel.tsx';
import { Block } from '../../parts/source.tsx';
import { Failure } from '../../parts/states.tsx';
import type { Changes } from '../../state/url.ts';
import * as f from '../../text/format.ts';

export function Profile({ data, identity }: { data: EndpointAnswer; identity: Changes }) {
  const [clock, choose] = useState<Clock>('wall');
  const answer = useAnswer<ProfileAnswer>('profile', { ...identity, format: 'columnar', clock });
  const tree = useMemo(() => answer.data && profileTree(answer.data), [answer.data]);
  const known = answer.data && answer.data.count > 0;
  return (
    <>
      <div class="columns two">
        <Panel id="hot" title="Hot lines" sub="own time, and paler all time below the line">
          {data.hot_lines.length ? (
            <HotLines lines={data.hot_lines} rows={12} />
          ) : (
            <p class="empty-line">
              No samples: every call in this range was shorter than the sampler's interval, or sampling is off.
            </p>
          )}
        </Panel>
        <Panel id="source" title="Source" sub="total time beside each line">
          {data.source.length ? (
            data.source.slice(0, 3).map((block) => (
              <Block key={`${block.file} ${block.function}`} block={block} />
            ))
          ) : (
            <p class="empty-line">
              {data.hot_lines.some((line) => line.changed)
                ? 'The files have changed since these samples were taken, so their lines are not shown.'
                : 'No line of your own code stands out, or its file cannot be read from here.'}
            </p>
          )}
        </Panel>
      </div>
      <Panel
        id="flame"
        title="Flame graph"
        sub={
          known ? `${f.plural(answer.data!.count, 'sample')} of ${f.plural(answer.data!.transactions, 'transaction')}` : undefined
        }
        tools={
          (known || clock === 'cpu') && <Clocks clock={clock} choose={choose} />
        }
      >
        {answer.error && <Failure error={answer.error} what="the profile" retry={answer.reload} />}
        {tree && known ? (
          <Flame
            tree={tree}
            note={[
              clock === 'cpu' && answer.data!.unclocked_ns > 0 && `Not known of ${f.ms(answer.data!.unclocked_ns / 1e6)}.`,
              answer.data!.pruned_ns > 0 && `${f.ms(answer.data!.pruned_ns / 1e6)} in frames too small to draw.`,
            ]
              .filter(Boolean)
              .join(' ')}
          />
        ) : (
          !answer.error && answer.data && <p class="empty-line">No samples in this range.</p>
        )}
      </Panel>
    </>
  );
}
