/** Health: is the agent itself well, what does it cost, and what does it keep? */
import type { HealthAnswer } from '../../api/health.ts';
import { useAnswer } from '../../api/use.ts';
import { Loaded } from '../../parts/states.tsx';
import { Checks } from './checks.tsx';
import { Cost } from './cost.tsx';
import { Instruments } from './instruments.tsx';
import { Privacy } from './privacy.tsx';
import { Processes } from './processes.tsx';
import { Settings } from './settings.tsx';
import { Store } from './store.tsx';

export default function Health() {
  const answer = useAnswer<HealthAnswer>('health');
  return (
    <Loaded answer={answer} what="the agent's health" height={400}>
      {(data) => (
        <>
          <Cost data={data} path={answer.path} />
          <div class="health-pair">
            <Checks data={data} />
            <Store data={data} />
          </div>
          {data.processes.length > 0 ? (
            <>
              <Processes processes={data.processes} />
              <div class="health-pair">
                <Instruments processes={data.processes} unused={data.unused} mounted={data.unused_in === 'application'} />
                <Privacy data={data} />
              </div>
              <Settings processes={data.processes} />
            </>
          ) : (
            <>
              <div class="panel empty">
                <h2>No process has reported</h2>
                <p>
                  A process reports itself when the agent starts in it: <code>apm-agent run …</code> or{' '}
                  <code>apm_agent.install()</code>.
                </p>
              </div>
              <Privacy data={data} />
            </>
          )}
        </>
      )}
    </Loaded>
  );
}
