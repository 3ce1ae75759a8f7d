/** What can be put into a bug report: figures, versions and states; names and texts of the user's own are masked. */
import type { HealthAnswer, Process } from '../../api/health.ts';

/** Settings whose text is one of ours, not the user's. */
const PLAIN = new Set(['enabled']);

/** A numbered name for each different one: `host-1` is the same host everywhere. */
function numbered(word: string): (name: string) => string {
  const known = new Map<string, string>();
  return (name) => {
    if (!known.has(name)) known.set(name, `${word}-${known.size + 1}`);
    return known.get(name)!;
  };
}

/** A setting's value where it is a number or a choice; of texts and lists only how much there is. */
export function setting(name: string, value: unknown): unknown {
  if (value === null || typeof value === 'number' || typeof value === 'boolean' || PLAIN.has(name)) return value;
  if (typeof value === 'string') return value ? `[text, ${value.length} characters]` : '';
  if (Array.isArray(value)) return value.length ? `[list of ${value.length}]` : [];
  return '[masked]';
}

export function diagnostics(data: HealthAnswer): string {
  const [host, service, release] = [numbered('host'), numbered('service'), numbered('release')];
  const process = ({ settings = {}, contained = [], writer, instruments = [], ...one }: Process) => ({
    ...one,
    host: host(one.host),
    service: service(one.service),
    release: one.release === null ? null : release(one.release),
    writer: writer && { ...writer, last_error: writer.last_error ? '[masked]' : null },
    // what an error says may quote the app; its type does not
    contained: contained.map(({ what, error, count }) => ({ what, error: error.split(/[:(\s]/)[0], count })),
    instruments: instruments.map(({ name, state }) => ({ name, state })),
    settings: Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, setting(name, value)])),
  });
  const { url, ...store } = data.store;
  return JSON.stringify(
    {
      agent: data.agent,
      dashboard: { ...data.dashboard, host: host(data.dashboard.host) },
      store: { ...store, url: `${url.split('://')[0]}://[masked]` },
      cost: data.cost,
      checks: data.checks.map(({ state, what }) => ({ state, what })),
      processes: data.processes.map(process),
    },
    null,
    2,
  );
}
