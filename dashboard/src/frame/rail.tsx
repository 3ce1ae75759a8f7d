/** The left rail: the pages one can go to, and what the store is doing. */
import { store } from '../api/client.ts';
import { Icon } from '../parts/icon.tsx';
import { PAGES, type Page } from '../pages.ts';
import { useQuery } from '../state/query.ts';
import { useSignal } from '../state/signal.ts';
import * as f from '../text/format.ts';

const ENTRIES = PAGES.flatMap((page) => (page.rail ? [{ ...page.rail, id: page.id, title: page.title }] : []));
const GROUPS = [...new Set(ENTRIES.map((entry) => entry.group))];

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
