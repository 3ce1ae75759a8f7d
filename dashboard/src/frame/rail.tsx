/** The left rail: the pages one can go to, and what the store is doing. */
import { store } from '../api/client.ts';
import type { FiltersAnswer } from '../api/groups.ts';
import { Icon } from '../parts/icon.tsx';
import { PAGES, type Page } from '../pages.ts';
import { useQuery } from '../state/query.ts';
import { useSignal } from '../state/signal.ts';
import * as f from '../text/format.ts';
import { filters } from './filters.ts';

const ENTRIES = PAGES.flatMap((page) => (page.rail ? [{ ...page.rail, id: page.id, title: page.title }] : []));
const GROUPS = [...new Set(ENTRIES.map((entry) => entry.group))];

type Counted = keyof FiltersAnswer['counts'];

/** Page → which count stands beside it, and of what it is. */
const COUNTS: Record<string, { of: Counted; one: string; many: string }> = {
  endpoints: { of: 'endpoints', one: 'endpoint called', many: 'endpoints called' },
  jobs: { of: 'jobs', one: 'job that ran', many: 'jobs that ran' },
  queries: { of: 'queries', one: 'query that ran', many: 'queries that ran' },
  errors: { of: 'errors', one: 'failed call', many: 'failed calls' },
  live: { of: 'in_flight', one: 'in flight', many: 'in flight' },
};

/** How many there are of what a page lists, in the range that is looked at; nothing for none. */
function Count({ id }: { id: string }) {
  const known = useSignal(filters);
  const counted = COUNTS[id];
  const count = counted && known?.counts[counted.of];
  if (!counted || !count) return null;
  return (
    <span class={`tally num ${id === 'errors' ? 'bad' : ''}`}>
      {f.short(count)}
      <span class="sr-only"> {count === 1 ? counted.one : counted.many}</span>
    </span>
  );
}

export function Rail({ page, help }: { page: Page; help: () => void }) {
  const query = useQuery();
  const said = useSignal(store);
  const icon = document.querySelector<HTMLLinkElement>('link[rel=icon]')?.getAttribute('href') ?? '';
  const under = typeof page.under === 'function' ? page.under(new URLSearchParams(query.search)) : page.under;
  const here = page.rail ? page.id : under;
  return (
    <aside class="rail" aria-label="Pages and store">
      <a class="brand" href={query.link(PAGES[0]!.id)} aria-label="apm-agent, first page">
        <img src={icon} alt="" width="20" height="20" />
        <span>apm-agent</span>
      </a>
      <nav aria-label="Pages">
        {GROUPS.map((group) => (
          <div key={group} class="group" role="group" aria-label={group || 'Watch'}>
            {group && (
              <span class="group-title" aria-hidden="true">
                {group}
              </span>
            )}
            {ENTRIES.filter((entry) => entry.group === group).map((entry) => (
              <a
                key={entry.id}
                class="entry"
                href={query.link(entry.id)}
                aria-current={entry.id === here ? 'page' : undefined}
                data-tip={`Keys: g then ${entry.key}`}
              >
                <Icon name={entry.icon} />
                {entry.title}
                <Count id={entry.id} />
              </a>
            ))}
          </div>
        ))}
      </nav>
      <div class="foot">
        {said && (
          <span>
            Last event <b class="num">{said.written_at === null ? 'never' : f.ago(said.written_at)}</b>
          </span>
        )}
        <button type="button" class="quiet" onClick={help}>
          Keys and figures <kbd>?</kbd>
        </button>
      </div>
    </aside>
  );
}
