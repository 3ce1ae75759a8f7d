/** A capture of the next seconds: how far it is, and its flame graph across all workers once it is over. */
import type { ComponentType } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { Capture } from '../../api/live.ts';
import type { FlameTree } from '../../draw/flame-layout.ts';
import { profileTree } from '../../draw/trees.ts';
import { Panel } from '../../parts/panel.tsx';
import * as f from '../../text/format.ts';
import type { Watched } from './watch.ts';

type Draw = ComponentType<{ tree: FlameTree; note: string }>;

export function Film({ watched: { busy, capture } }: { watched: Watched }) {
  return (
    <>
      <div role="status" class={busy ? '' : 'sr-only'}>
        {busy && (
          <p class="panel filming">
            <i aria-hidden="true" />
            Capturing what every worker runs for 5 seconds
            {capture && capture.processes.length > 0
              ? `: ${f.plural(capture.processes.length, 'worker')}, ${f.plural(sum(capture), 'sample')} so far`
              : '…'}
          </p>
        )}
        {capture?.done && !busy && `Captured ${f.plural(sum(capture), 'sample')}; the flame graph is below.`}
      </div>
      {capture?.done && !busy && <Result capture={capture} />}
    </>
  );
}

const sum = ({ processes }: Capture): number => processes.reduce((total, process) => total + process.samples, 0);

function Result({ capture }: { capture: Capture }) {
  const { profile, processes } = capture;
  const tree = useMemo(() => profile && profileTree(profile), [profile]);
  // drawn only for who captures: its code comes when it is needed
  const [Flame, set] = useState<Draw | null>(null);
  useEffect(() => {
    void import('../../draw/flame.tsx').then((module) => set(() => module.Flame));
  }, []);
  const at = capture.asked_at === null ? '' : ` from ${f.clock(capture.asked_at, true)} on`;
  const silent = processes.filter((process) => !process.done).length;
  return (
    <Panel
      id="film"
      title={`What ran in these ${capture.seconds === null ? 'seconds' : `${f.whole(capture.seconds)} s`}`}
      sub={`${f.plural(sum(capture), 'sample')} of ${f.plural(processes.length, 'worker')}${at}`}
    >
      {tree && profile && profile.count > 0 ? (
        Flame && (
          <Flame
            tree={tree}
            note={[
              'Also what has not ended; not what only waits in a task.',
              silent > 0 && `${f.plural(silent, 'worker')} fell silent meanwhile.`,
            ]
              .filter(Boolean)
              .join(' ')}
          />
        )
      ) : (
        <p class="empty-line">
          {processes.length
            ? 'Nothing ran: what was in flight only waited.'
            : 'No worker had anything in flight in these seconds, so there was nothing to sample.'}
        </p>
      )}
    </Panel>
  );
}
