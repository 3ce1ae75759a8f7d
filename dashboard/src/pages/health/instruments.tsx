/** What is instrumented, what was found but is not, and what failed: of all processes together. */
import type { Process } from '../../api/health.ts';
import { Panel } from '../../parts/panel.tsx';
import * as f from '../../text/format.ts';

interface Told {
  name: string;
  states: Map<string, number>;
  detail: string;
}

const GROUPS: { id: string; title: string; tone: string; words: string }[] = [
  { id: 'failed', title: 'Failed', tone: 'bad', words: 'The library is not as the instrument knows it: it is left alone.' },
  { id: 'patched', title: 'Watched', tone: 'good', words: 'Imported by the app, and its calls are spans.' },
  { id: 'disabled', title: 'Turned off', tone: 'warn', words: 'By the setting instruments_off.' },
  {
    id: 'unused',
    title: 'Found, not imported',
    tone: '',
    words: 'Installed, and no process of the app has imported it, so there is nothing to watch.',
  },
  { id: 'waiting', title: 'Not here', tone: '', words: 'Known to the agent; watched as soon as the app imports it.' },
];

/** In which group a library stands: the worst that any process says of it. */
export function grouped(processes: Process[], unused: string[]): Map<string, Told[]> {
  const told = new Map<string, Told>();
  for (const { instruments = [] } of processes)
    for (const { name, state, detail } of instruments) {
      const one = told.get(name) ?? { name, states: new Map<string, number>(), detail: '' };
      one.states.set(state, (one.states.get(state) ?? 0) + 1);
      if (state === 'failed' || !one.detail) one.detail = detail ?? '';
      told.set(name, one);
    }
  const groups = new Map<string, Told[]>();
  for (const one of told.values()) {
    const worst = ['failed', 'patched', 'disabled'].find((state) => one.states.has(state));
    const group = worst ?? (unused.includes(one.name) ? 'unused' : 'waiting');
    groups.set(group, [...(groups.get(group) ?? []), one]);
  }
  return groups;
}

/** A dashboard that runs by itself sees its own environment: what is there may not be where the app is. */
const BESIDE = {
  title: 'Found beside this dashboard, not imported',
  words:
    "Installed in this dashboard's own environment, which may not be the app's; no process of the app has imported it, so there is nothing to watch.",
};

interface Props {
  processes: Process[];
  unused: string[];
  /** this dashboard runs in the app itself */
  mounted: boolean;
}

export function Instruments({ processes, unused, mounted }: Props) {
  const groups = grouped(processes, unused);
  return (
    <Panel id="instruments" title="Instruments" sub={`of ${f.plural(processes.length, 'process', 'processes')}`}>
      {!groups.size && <p class="empty-line">No process has said what it watches.</p>}
      {GROUPS.filter(({ id }) => groups.has(id)).map((group) => {
        const { id, title, tone, words } = group.id === 'unused' && !mounted ? { ...group, ...BESIDE } : group;
        const all = groups.get(id)!;
        const list = (
          <ul class="chips">
            {all.map((one) => {
              const here = one.states.get(id) ?? processes.length;
              const some = here < processes.length && id !== 'unused' && id !== 'waiting';
              return (
                <li key={one.name} class={`chip ${tone}`} data-tip={id === 'failed' ? f.tame(one.detail, 300) : undefined}>
                  {f.tame(one.name, 40)}
                  {some && ` in ${here} of ${processes.length}`}
                </li>
              );
            })}
          </ul>
        );
        const heading = `${title} (${all.length})`;
        return id === 'waiting' || id === 'unused' ? (
          <details key={id} class="block">
            <summary>{heading}</summary>
            <p class="muted">{words}</p>
            {list}
          </details>
        ) : (
          <div key={id} class="block">
            <h3>{heading}</h3>
            <p class="muted">{words}</p>
            {list}
            {id === 'failed' &&
              all.map((one) => (
                <p key={one.name} class="muted">
                  <b>{f.tame(one.name, 40)}</b>: {f.tame(one.detail, 300)}. Set APM_AGENT_INSTRUMENTS_OFF={f.tame(one.name, 40)} until
                  it is supported.
                </p>
              ))}
          </div>
        );
      })}
    </Panel>
  );
}
