/** What every list of rows has: a bar with its order, filter and JSON, columns to choose, and more rows. */
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { recall, remember } from '../state/prefs.ts';
import { useQuery } from '../state/query.ts';
import { Icon } from './icon.tsx';
import type { Column } from './table.tsx';

/** Rows of the first answer, and of one asked for more. */
export const FIRST = 200;
export const MOST = 1000;

/** How many rows the address asks for. */
export const useLimit = (): number => Number(useQuery().get('rows')) || FIRST;

/** The bar above a list: its filters on the left, search, tools and JSON on the right. */
export function Toolbar({
  path,
  search,
  placeholder = 'Filter',
  tools,
  children,
}: {
  path: string;
  /** what the search field looks into */
  search: string;
  placeholder?: string;
  tools?: ComponentChildren;
  children?: ComponentChildren;
}) {
  return (
    <div class="toolbar">
      {children}
      <span class="space" />
      <TextFilter label={search} placeholder={placeholder} />
      {tools}
      <a class="button" href={`api/v1/${path}`}>
        JSON
      </a>
    </div>
  );
}

/** A text that narrows the list, asked for once the typing pauses. */
function TextFilter({ label, placeholder }: { label: string; placeholder: string }) {
  const query = useQuery();
  const [text, set] = useState(query.get('q'));
  useEffect(() => {
    if (text === query.get('q')) return;
    const timer = setTimeout(() => query.set({ q: text }, { replace: true }), 200);
    return () => clearTimeout(timer);
  }, [text]);
  useEffect(() => set(query.get('q')), [query.search]);
  return (
    <label class="search">
      <Icon name="search" />
      <span class="sr-only">{label}</span>
      <input type="search" placeholder={placeholder} value={text} onInput={(event) => set(event.currentTarget.value)} />
    </label>
  );
}

/** Offers more rows where there are more than were asked for. */
export function More({ cursor }: { cursor: string | null }) {
  const query = useQuery();
  if (!cursor) return null;
  return (
    <p class="more">
      {useLimit() < MOST ? (
        <button type="button" class="button" onClick={() => query.set({ rows: MOST }, { replace: true })}>
          Show up to 1,000
        </button>
      ) : (
        <span class="muted">These are the first 1,000. Use the filter to find the others.</span>
      )}
    </p>
  );
}

/** The columns one does not want to see, remembered in this browser under a name. */
export function useHidden(name: string): [hidden: string[], hide: (ids: string[]) => void] {
  const [hidden, set] = useState<string[]>(() => recall(name)?.split(',').filter(Boolean) ?? []);
  const hide = (ids: string[]) => {
    set(ids);
    remember(name, ids.join(','));
  };
  return [hidden, hide];
}

export function Chooser<Row>({
  columns,
  optional,
  hidden,
  change,
}: {
  columns: Column<Row>[];
  optional: string[];
  hidden: string[];
  change: (hidden: string[]) => void;
}) {
  const toggle = (id: string) => change(hidden.includes(id) ? hidden.filter((other) => other !== id) : [...hidden, id]);
  const gone = columns.filter((column) => hidden.includes(column.id)).length;
  return (
    <details class="popover-host chooser">
      <summary class="button">
        <Icon name="columns" />
        Columns
        {gone > 0 && (
          <span class="n">
            {columns.length - gone}/{columns.length}
          </span>
        )}
      </summary>
      <div class="popover" role="group" aria-label="Columns to show">
        {columns
          .filter((column) => optional.includes(column.id))
          .map((column) => (
            <label key={column.id}>
              <input type="checkbox" checked={!hidden.includes(column.id)} onChange={() => toggle(column.id)} />{' '}
              {column.title.replace(/ \d.*/, '')}
            </label>
          ))}
      </div>
    </details>
  );
}
