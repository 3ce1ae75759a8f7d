/** What is armed, a row an arm: how much of it is there, which workers took it up, and why some were not measured. */
import { useEffect, useState } from 'preact/hooks';
import { type Arm, type ArmWorker, CAPTURE_NAMES } from '../api/memory.ts';
import * as f from '../text/format.ts';
import type { Followed } from './arming.tsx';

export function Arms({ arms, cancel }: { arms: Followed[]; cancel: (arm: Arm) => void }) {
  const now = useNow(arms.some((one) => one.state === 'armed' && !one.gone));
  if (!arms.length) return null;
  return (
    <ul class="arms" aria-label="What is armed">
      {arms.map((arm) => (
        <Row key={arm.id} arm={arm} now={now} cancel={cancel} />
      ))}
    </ul>
  );
}

/** The time, moving on while somebody waits. */
function useNow(moves: boolean): number {
  const [now, set] = useState(Date.now() / 1000);
  useEffect(() => {
    if (!moves) return;
    const timer = setInterval(() => set(Date.now() / 1000), 1000);
    return () => clearInterval(timer);
  }, [moves]);
  return now;
}

function Row({ arm, now, cancel }: { arm: Followed; now: number; cancel: (arm: Arm) => void }) {
  const waits = arm.state === 'armed' && !arm.gone;
  const why = Object.entries(arm.unmeasured);
  return (
    <li class="arm">
      <p class="row">
        <b>{CAPTURE_NAMES[arm.capture]}</b>
        <State arm={arm} />
        <span class="track progress" role="img" aria-label={`${arm.done} of ${arm.count} measured`}>
          <i class="k-cache" style={{ width: `${(100 * arm.done) / arm.count}%` }} />
        </span>
        <span class="num">
          {f.whole(arm.done)} of {f.whole(arm.count)} measured
        </span>
        {waits && <span class="muted num">gives up in {f.lasted(Math.max(0, arm.until - now))}</span>}
        {arm.service && <span class="muted">only {f.tame(arm.service, 60)}</span>}
        {waits && (
          <button type="button" class="button" onClick={() => cancel(arm)}>
            Cancel
          </button>
        )}
      </p>
      {arm.functions.length > 0 && (
        <p class="faint mono">
          {arm.functions.map((one) => `${f.tame(one.function, 60)} ${f.tame(one.file, 60)}:${one.line}`).join(', ')}
        </p>
      )}
      {(arm.workers.length > 0 || arm.unheard > 0) && (
        <p class="row workers">
          {arm.workers.map((worker) => (
            <WorkerChip key={`${worker.host} ${worker.pid}`} worker={worker} waits={waits} />
          ))}
          {waits && arm.unheard > 0 && (
            <span
              class="muted"
              data-tip="A worker looks what is armed once a second while it has traffic, and tells of itself every few seconds."
            >
              {f.plural(arm.unheard, 'worker')} not heard of since
            </span>
          )}
        </p>
      )}
      {why.length > 0 && (
        <p class="muted">Not measured: {why.map(([text, count]) => `${f.whole(count)} × ${f.tame(text, 200)}`).join('; ')}.</p>
      )}
    </li>
  );
}

function State({ arm }: { arm: Followed }) {
  if (arm.state === 'done') return <span class="chip good">done</span>;
  if (arm.gone) return <span class="chip">{arm.gone}</span>;
  if (arm.workers.some((one) => one.live)) return <span class="chip info">picked up</span>;
  return <span class="chip warn">armed, waits for traffic</span>;
}

function WorkerChip({ worker, waits }: { worker: ArmWorker; waits: boolean }) {
  const missed = Object.values(worker.unmeasured).reduce((sum, count) => sum + count, 0);
  const words = [
    worker.live && waits ? 'picked up' : '',
    worker.kept ? `${f.whole(worker.kept)} measured` : '',
    missed ? `${f.whole(missed)} not` : '',
  ].filter(Boolean);
  return (
    <span
      class="chip"
      data-tip={`${f.tame(worker.host, 60)}, ${f.tame(worker.service, 60)}; last heard of ${f.ago(worker.last_seen)}`}
    >
      <span class="mono">pid {worker.pid}</span> {words.join(', ') || 'picked up'}
    </span>
  );
}
