/** What `apm-agent doctor` answers, as far as it can be told from here; the rest is asked in the application. */
import type { Check, HealthAnswer } from '../../api/health.ts';
import { Panel } from '../../parts/panel.tsx';
import * as f from '../../text/format.ts';

const STATES: Record<string, { mark: string; word: string; tone: string; rank: number }> = {
  wrong: { mark: '✗', word: 'Wrong', tone: 'bad', rank: 0 },
  note: { mark: '!', word: 'Note', tone: 'warn', rank: 1 },
  fine: { mark: '✓', word: 'Fine', tone: 'good', rank: 2 },
};
const stateOf = (check: Check) => STATES[check.state] ?? STATES['note']!;
const FIRST = 12;

export function Checks({ data }: { data: HealthAnswer }) {
  const checks = [...data.checks].sort((a, b) => stateOf(a).rank - stateOf(b).rank);
  const shown = checks.slice(0, FIRST);
  return (
    <Panel id="checks" title="Checks" sub="as apm-agent doctor makes them, from the dashboard's process">
      <ul class="checks">
        {shown.map((check, i) => {
          const { mark, word, tone } = stateOf(check);
          return (
            <li key={i}>
              <span class={`verdict ${tone}`} aria-hidden="true">
                {mark}
              </span>
              <div>
                <span class="sr-only">{word}: </span>
                <b>{f.tame(check.what, 40)}</b> {f.tame(check.detail, 400)}
                {check.cure && <div class="muted">Cure: {f.tame(check.cure, 300)}</div>}
              </div>
            </li>
          );
        })}
      </ul>
      {checks.length > FIRST && <p class="hint">{f.whole(checks.length - FIRST)} more are in the JSON.</p>}
      <div class="block">
        <h3>To be asked in the application</h3>
        <p class="muted">
          Run <code>apm-agent doctor</code> where the application runs, with its environment. Only there can be told:
        </p>
        <ul class="plain health-asked">
          {data.elsewhere.map((one) => (
            <li key={one.what}>
              <b>{one.what}</b>: {one.detail}
            </li>
          ))}
        </ul>
      </div>
    </Panel>
  );
}
