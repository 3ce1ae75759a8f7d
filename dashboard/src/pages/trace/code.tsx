/** Which code a trace spent its time in: its samples as a flame graph. */
import { useMemo, useState } from 'preact/hooks';
import type { Clock } from '../../api/profile.ts';
import type { TraceAnswer } from '../../api/trace.ts';
import { Flame } from '../../draw/flame.tsx';
import { sampleTree } from '../../draw/trees.ts';
import { Clocks } from '../../parts/clocks.tsx';
import { Panel } from '../../parts/panel.tsx';
import * as f from '../../text/format.ts';

export function Code({ data }: { data: TraceAnswer }) {
  const [clock, choose] = useState<Clock>('wall');
  const tree = useMemo(() => sampleTree(data.frames, data.samples, clock), [data, clock]);
  const { samples, sampled } = data;
  const clocked = samples.some((sample) => sample.cpu_ms != null && sample.state !== 'waiting');
  return (
    <Panel
      id="flame"
      title="Flame graph"
      sub={samples.length ? `${f.plural(samples.length, 'sample')} merged, widest first` : undefined}
      tools={clocked && <Clocks clock={clock} choose={choose} />}
    >
      {samples.length ? (
        <Flame
          tree={tree}
          note={
            clock === 'cpu'
              ? `${f.ms(tree.total[0])} of processor time.`
              : sampled && sampled.uncertain_ms > 0
                ? `${f.ms(sampled.uncertain_ms)} of it uncertain.`
                : ''
          }
        />
      ) : (
        <p class="empty-line">
          No samples: this one was shorter than the interval{sampled ? ` of ${f.ms(sampled.interval_ms)}` : ''}, or sampling was
          off. The spans above are measured, not sampled.
        </p>
      )}
    </Panel>
  );
}
