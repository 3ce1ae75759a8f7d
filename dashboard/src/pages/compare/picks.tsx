/** The pickers: what is compared with what, and of which endpoint. */
import { useEffect, useState } from 'preact/hooks';
import type { CompareAnswer } from '../../api/compare.ts';
import { ask } from '../../api/client.ts';
import type { EndpointsAnswer } from '../../api/endpoints.ts';
import { Icon } from '../../parts/icon.tsx';
import { useQuery } from '../../state/query.ts';
import { DEFAULT_RANGE, RANGES, apiQuery } from '../../state/url.ts';
import * as f from '../../text/format.ts';
import { when, words } from './address.ts';
import { Own } from './own.tsx';

type Which = 'a' | 'b';
const OWN = { '@range': 'range', '@trace': 'trace' } as const;

interface Known {
  releases: string[];
  services: string[];
  endpoints: { name: string; kind: string; service: string }[];
}

/** Which releases and endpoints there are is asked once; the page itself says what is wrong. */
function useKnown(): Known {
  const query = useQuery();
  const [known, set] = useState<Known>({ releases: [], services: [], endpoints: [] });
  const path = `endpoints${apiQuery(query.search, { range: '7d', from: null, to: null, limit: 200, service: null, release: null })}`;
  useEffect(() => {
    const abort = new AbortController();
    ask<EndpointsAnswer>(path, abort.signal)
      .then(({ releases, services, endpoints }) => set({ releases, services, endpoints }))
      .catch(() => {});
    return () => abort.abort();
  }, [path]);
  return known;
}

export function Picks({ data }: { data: CompareAnswer | null }) {
  const query = useQuery();
  const known = useKnown();
  const [own, setOwn] = useState<{ which: Which; kind: 'range' | 'trace' } | null>(null);
  const range = query.get('range') || DEFAULT_RANGE;
  const labels = {
    a: query.get('a') || data?.a.label || `before:${range}`,
    b: query.get('b') || data?.b.label || `range:${range}`,
  };
  const put = (which: Which, label: string) => {
    setOwn(null);
    query.set({ ...labels, [which]: label, by: null });
  };
  const choose = (which: Which, value: string) =>
    value in OWN ? setOwn({ which, kind: OWN[value as keyof typeof OWN] }) : put(which, value);
  const side = (which: Which, title: string) => (
    <Side
      title={title}
      label={labels[which]}
      when={data ? when(data[which]) : ''}
      releases={known.releases}
      choose={(value) => choose(which, value)}
    />
  );
  return (
    <>
      <div class="picks">
        <Subject known={known} />
        {side('a', 'before')}
        <button
          type="button"
          class="button"
          aria-label="Swap before and after"
          data-tip="Swap before and after"
          onClick={() => query.set({ a: labels.b, b: labels.a, by: null, ...swapped(query.get) })}
        >
          <Icon name="swap" />
        </button>
        {side('b', 'after')}
      </div>
      {own && (
        <Own
          key={`${own.which}${own.kind}`}
          kind={own.kind}
          title={own.which === 'a' ? 'Before' : 'After'}
          use={(label) => put(own.which, label)}
          close={() => setOwn(null)}
        />
      )}
    </>
  );
}

/** Where two endpoints are compared they change places too. */
function swapped(get: (name: string) => string): Record<string, string> {
  if (!get('b_name')) return {};
  const of = (prefix: string) => ['name', 'kind', 'service'].map((part) => [part, get(prefix + part)] as const);
  return Object.fromEntries([...of('b_'), ...of('').map(([part, value]) => [`b_${part}`, value] as const)]);
}

function Side({
  title,
  label,
  when: span,
  releases,
  choose,
}: {
  title: string;
  label: string;
  when: string;
  releases: string[];
  choose: (value: string) => void;
}) {
  const ranges = RANGES.map((range) => `range:${range}`);
  const befores = RANGES.map((range) => `before:${range}`);
  const versions = releases.map((version) => `release:${version}`);
  const other = [...ranges, ...befores, ...versions].includes(label) ? [] : [label];
  const options = (values: string[]) =>
    values.map((value) => (
      <option key={value} value={value}>
        {words(value)}
      </option>
    ));
  return (
    <label class="pick side">
      <span class="muted">{title}</span>
      <select
        aria-label={title === 'before' ? 'Before' : 'After'}
        value={label}
        onChange={(event) => {
          choose(event.currentTarget.value);
          event.currentTarget.value = label; // until it is so
        }}
      >
        {options(other)}
        <optgroup label="Time">{options(ranges)}</optgroup>
        <optgroup label="As long, just before it">{options(befores)}</optgroup>
        {versions.length > 0 && <optgroup label="Release">{options(versions)}</optgroup>}
        <optgroup label="Other">
          <option value="@range">From … to …</option>
          <option value="@trace">One trace …</option>
        </optgroup>
      </select>
      <Icon name="down" />
      {span && <span class="muted num when">{span}</span>}
    </label>
  );
}

function Subject({ known }: { known: Known }) {
  const query = useQuery();
  if (query.get('a').startsWith('tx:') && query.get('b').startsWith('tx:')) return null;
  const [name, kind, service] = ['name', 'kind', 'service'].map((part) => query.get(part));
  const chosen = name ? JSON.stringify([name, kind, service]) : JSON.stringify(['', '', service]);
  const wholes = ['', ...(known.services.length > 1 || service ? known.services : [])];
  const values = [
    ...wholes.map((each) => ({
      value: JSON.stringify(['', '', each]),
      title: each ? `All of ${f.tame(each, 40)}` : 'The whole app',
    })),
    ...known.endpoints.map((each) => ({
      value: JSON.stringify([each.name, each.kind, each.service]),
      title: f.tame(each.name, 80) + (known.services.length > 1 ? ` · ${f.tame(each.service, 30)}` : ''),
    })),
  ];
  // an address may leave out what is clear without it
  const fits = ({ value }: { value: string }) => {
    const [a, b, c] = JSON.parse(value) as string[];
    return a === name && (!kind || b === kind) && (!service || c === service) && (a !== '' || c === service);
  };
  const current = values.find(fits)?.value ?? chosen;
  const shown = values.some((each) => each.value === current)
    ? values
    : [{ value: current, title: f.tame(name || service || '', 80) }, ...values];
  const other = query.get('b_name');
  return (
    <>
      <label class="pick side">
        <span class="muted">{other ? 'before of' : 'of'}</span>
        <select
          aria-label="Endpoint"
          value={current}
          onChange={(event) => {
            const [next, its, whose] = JSON.parse(event.currentTarget.value) as string[];
            query.set({ name: next, kind: its, service: whose, b_name: null, b_kind: null, b_service: null });
          }}
        >
          {shown.map((each) => (
            <option key={each.value} value={each.value}>
              {each.title}
            </option>
          ))}
        </select>
        <Icon name="down" />
      </label>
      {other && (
        <button type="button" class="chip removable" onClick={() => query.set({ b_name: null, b_kind: null, b_service: null })}>
          after of {f.tame(other, 80)} <span aria-hidden="true">×</span>
          <span class="sr-only"> remove</span>
        </button>
      )}
    </>
  );
}
