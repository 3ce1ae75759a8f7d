/** The top bar: what is looked at (service, release, host, range), search, live and theme. */
import { Icon } from '../parts/icon.tsx';
import { Segments } from '../parts/panel.tsx';
import type { Page } from '../pages.ts';
import { theme, toggleTheme } from '../state/prefs.ts';
import { useQuery } from '../state/query.ts';
import { useSignal } from '../state/signal.ts';
import { DEFAULT_RANGE, RANGES } from '../state/url.ts';
import * as f from '../text/format.ts';
import { filters } from './filters.ts';
import { CustomRange } from './range.tsx';
import { Search } from './search.tsx';

export function TopBar({ page }: { page: Page }) {
  const colours = useSignal(theme);
  return (
    <header class="top">
      {page.ranged && <Filters />}
      {page.id !== 'trace' && <Hosts />}
      <span class="space" />
      <Search />
      {page.ranged && <Ranges />}
      <button
        type="button"
        class="button"
        onClick={toggleTheme}
        aria-label={`Use the ${colours === 'dark' ? 'light' : 'dark'} theme`}
        data-tip="Key: d"
      >
        <Icon name="theme" />
      </button>
    </header>
  );
}

function Ranges() {
  const query = useQuery();
  const live = query.get('live') === '1';
  const range = query.get('from') ? null : query.get('range') || DEFAULT_RANGE;
  return (
    <>
      <Segments
        label="Time range"
        options={RANGES.map((id) => ({ id: id as string, title: id }))}
        current={range}
        select={(next) => query.set({ range: next, from: null, to: null })}
      />
      <CustomRange />
      <button
        type="button"
        class="button"
        aria-pressed={live}
        onClick={() => query.set({ live: live ? null : 1 }, { replace: true })}
        aria-label="Live"
        data-tip="Ask again every 2 seconds"
      >
        <Icon name="live" />
        <span class="wide-only">Live</span>
      </button>
    </>
  );
}

function Filters() {
  const known = useSignal(filters);
  return (
    <>
      <Pick name="service" label="Service" all="all services" options={known?.services ?? []} />
      <Pick name="release" label="Release" all="all releases" options={known?.releases ?? []} />
    </>
  );
}

/** Where more than one machine wrote; on every page but that of one transaction, which has but one. */
function Hosts() {
  const query = useQuery();
  const hosts = useSignal(filters)?.hosts ?? [];
  if (hosts.length < 2 && !query.get('host')) return null;
  return <Pick name="host" label="Host" all="all hosts" options={hosts} />;
}

function Pick({ name, label, all, options }: { name: string; label: string; all: string; options: string[] }) {
  const query = useQuery();
  const current = query.get(name);
  const shown = current && !options.includes(current) ? [current, ...options] : options;
  if (!shown.length) return null;
  if (shown.length === 1 && !current)
    return (
      <span class="pick only">
        <span class="muted">{label}</span> {f.tame(shown[0]!, 28)}
      </span>
    );
  return (
    <label class={`pick ${current ? 'set' : ''}`}>
      <span class="muted">{label}</span>
      <select aria-label={label} value={current} onChange={(event) => query.set({ [name]: event.currentTarget.value })}>
        <option value="">{all}</option>
        {shown.map((option) => (
          <option key={option} value={option}>
            {f.tame(option, 60)}
          </option>
        ))}
      </select>
      <Icon name="down" />
    </label>
  );
}
