/** Finds an endpoint by a part of its name, or a trace by its id, from any page. */
import { useEffect, useState } from 'preact/hooks';
import { ask } from '../api/client.ts';
import type { EndpointsAnswer } from '../api/endpoints.ts';
import type { EndpointRow } from '../api/types.ts';
import { Icon } from '../parts/icon.tsx';
import { go, useQuery } from '../state/query.ts';
import { apiQuery } from '../state/url.ts';
import * as f from '../text/format.ts';

interface Hit {
  href: string;
  title: string;
  note: string;
}

const TRACE_ID = /^[0-9a-f]{8,32}$/i;

export function Search() {
  const query = useQuery();
  const [text, setText] = useState('');
  const [found, setFound] = useState<EndpointRow[]>([]);
  const [at, setAt] = useState(0);
  const [open, setOpen] = useState(false);
  const wanted = text.trim();

  useEffect(() => {
    setAt(0);
    if (!wanted) {
      setFound([]);
      return;
    }
    const abort = new AbortController();
    const timer = setTimeout(() => {
      ask<EndpointsAnswer>(`endpoints${apiQuery(query.search, { q: wanted, limit: 8 })}`, abort.signal)
        .then((answer) => setFound(answer.endpoints))
        .catch(() => {}); // a search that fails finds nothing; the page says what is wrong
    }, 120);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [wanted, query.search]);

  const hits: Hit[] = [
    ...(TRACE_ID.test(wanted)
      ? [{ href: query.link('trace', { id: wanted.toLowerCase() }), title: wanted, note: 'trace id' }]
      : []),
    ...found.map((row) => ({
      href: query.link('endpoint', { name: row.name, kind: row.kind, service: row.service }),
      title: row.name,
      note: f.percent(row.share),
    })),
    ...(wanted
      ? [{ href: query.link('traces', { q: wanted }), title: `Traces with “${wanted}” in path or context`, note: 'traces' }]
      : []),
  ];
  const shown = open && hits.length > 0;
  const key = (event: KeyboardEvent) => {
    if (event.key === 'ArrowDown') setAt((at + 1) % Math.max(1, hits.length));
    else if (event.key === 'ArrowUp') setAt((at - 1 + hits.length) % Math.max(1, hits.length));
    else if (event.key === 'Enter' && hits[at]) go(hits[at].href);
    else if (event.key === 'Escape') {
      setText('');
      (event.currentTarget as HTMLElement).blur();
    } else return;
    event.preventDefault();
  };
  return (
    <div class="search-host">
      <label class="search">
        <Icon name="search" />
        <span class="sr-only">Find an endpoint or a trace id</span>
        <input
          type="text"
          inputMode="search"
          role="combobox"
          placeholder="Endpoint or trace id"
          autocomplete="off"
          spellcheck={false}
          data-main-search
          aria-expanded={shown}
          aria-controls="search-hits"
          aria-autocomplete="list"
          aria-activedescendant={shown ? `hit-${at}` : undefined}
          value={text}
          onInput={(event) => {
            setText(event.currentTarget.value);
            setOpen(true);
          }}
          onKeyDown={key}
          onFocus={() => setOpen(true)}
          onBlur={() => setTimeout(() => setOpen(false), 150)}
        />
        <kbd>/</kbd>
      </label>
      <ul class="hits" id="search-hits" role="listbox" aria-label="Found" hidden={!shown}>
        {hits.map((hit, i) => (
          <li
            key={hit.href}
            id={`hit-${i}`}
            role="option"
            aria-selected={i === at}
            onPointerDown={(event) => {
              event.preventDefault();
              go(hit.href);
            }}
            onPointerEnter={() => setAt(i)}
          >
            <span class="mono">{f.tame(hit.title, 90)}</span>
            <span class="muted">{hit.note}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
