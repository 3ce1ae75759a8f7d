/** Settings in force, to read; where each is changed, and where processes do not agree. */
import type { Process } from '../../api/health.ts';
import { Panel } from '../../parts/panel.tsx';
import * as f from '../../text/format.ts';

const DURATIONS = new Set(['sample_interval', 'slow', 'flush_interval', 'max_age']);
const SIZES = new Set(['max_size']);
const SHARES = new Set(['sampler_budget', 'cprofile_share']);

/** A setting as it would be written. */
export function written(name: string, value: unknown): string {
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  if (typeof value === 'number') {
    if (SIZES.has(name)) return f.bytes(value);
    if (SHARES.has(name)) return f.percent(value);
    if (DURATIONS.has(name)) return value >= 90 ? f.lasted(value) : f.ms(value * 1000);
    return f.whole(value);
  }
  if (typeof value === 'string') return value || 'not set';
  if (Array.isArray(value) && !value.length) return 'none';
  return JSON.stringify(value) ?? '';
}

export function Settings({ processes }: { processes: Process[] }) {
  const names = [...new Set(processes.flatMap((process) => Object.keys(process.settings ?? {})))];
  if (!names.length) return null;
  const rows = names.map((name) => {
    const of = new Map<string, Set<string>>();
    for (const { service, settings = {} } of processes) {
      if (!(name in settings)) continue;
      const text = written(name, settings[name]);
      of.set(text, (of.get(text) ?? new Set()).add(service));
    }
    return { name, values: [...of] };
  });
  return (
    <Panel id="settings" title="Settings" sub="read when the agent starts; secret ones are not told">
      <p class="hint">
        Change one where the agent is installed: by its keyword in install() or init_app(), in Django's APM_AGENT, or in the
        environment as APM_AGENT_NAME, then start the application anew. The README says what each is for.
      </p>
      <dl class="settings">
        {rows.map(({ name, values }) => (
          <div key={name}>
            <dt class="mono" data-tip={`APM_AGENT_${f.tame(name, 60).toUpperCase()}`}>
              {f.tame(name, 80)}
            </dt>
            <dd class="mono">
              {values.map(([text, services]) => (
                <span key={text}>
                  {f.tame(text, 300)}
                  {values.length > 1 && <span class="muted"> ({f.tame([...services].join(', '), 80)})</span>}
                </span>
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </Panel>
  );
}
