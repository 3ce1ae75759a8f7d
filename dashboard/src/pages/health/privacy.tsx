/** What is kept about people, in short, and how much of the newest was masked. */
import type { HealthAnswer } from '../../api/health.ts';
import { Panel } from '../../parts/panel.tsx';
import * as f from '../../text/format.ts';

const NEVER = [
  'bodies, headers, cookies and query strings of requests',
  'parameters and literals of SQL',
  'keys and values of caches, documents and jobs',
  'local variables of exceptions',
];
const SCRUBBED: [what: string, how: string][] = [
  ['paths', 'keys, addresses, quotes and long numbers are masked'],
  ['context given by the app', 'secret keys are masked, values are scrubbed, 50 keys at most'],
  ['exception messages and log lines of what failed', 'what looks like a secret, an address or a number is masked'],
  ['addresses called', 'no login, query or fragment'],
];

export function Privacy({ data }: { data: HealthAnswer }) {
  const { privacy, processes } = data;
  const own = processes.map((process) => process.settings?.['scrub']).find((rules) => Array.isArray(rules) && rules.length);
  const [rules, functions] = [
    Array.isArray(own) ? own.length : 0,
    processes.some((process) => process.settings?.['scrub_function']),
  ];
  return (
    <Panel id="privacy" title="Privacy" sub="what is kept about people, in short; docs/privacy.md has it whole">
      <div class="block">
        <h3>Never taken</h3>
        <ul class="bullets">
          {NEVER.map((what) => (
            <li key={what}>{what}</li>
          ))}
        </ul>
      </div>
      <div class="block">
        <h3>Kept, scrubbed before it is written</h3>
        <ul class="bullets">
          {SCRUBBED.map(([what, how]) => (
            <li key={what}>
              {what}: <span class="muted">{how}</span>
            </li>
          ))}
        </ul>
      </div>
      <div class="block">
        <h3>In this store now</h3>
        {privacy.looked_at === 0 ? (
          <p class="muted">Nothing: no transaction is kept.</p>
        ) : (
          <>
            <p data-tip="Counted in the newest 2,000 transactions; masks that follow a rule of your own count too.">
              Of the newest {f.plural(privacy.looked_at, 'transaction')}, {f.whole(privacy.with_path)} have a path (
              {f.whole(privacy.masked_paths)} with a part masked) and {f.whole(privacy.with_context)} have context (
              {f.whole(privacy.masked_contexts)} with a value masked).
            </p>
            {privacy.keys.length > 0 && (
              <p class="keys-of-context">
                <span class="muted">Keys of context: </span>
                {privacy.keys.map(({ key, count }) => (
                  <span key={key} class="chip" data-tip={`in ${f.plural(count, 'transaction')}`}>
                    {f.tame(key, 40)}
                  </span>
                ))}
              </p>
            )}
          </>
        )}
        <p class="muted">
          {rules ? `${f.plural(rules, 'rule')} of your own` : 'No rule of your own'}
          {functions ? ' and a function' : ''}; add some by the settings scrub and scrub_function.
        </p>
      </div>
    </Panel>
  );
}
