/** The state of a page is its query string: reading it, changing it, and links that carry it on. */

export const RANGES = ['15m', '1h', '6h', '24h', '7d'] as const;
export const DEFAULT_RANGE = '1h';

/** What goes along from page to page; everything else belongs to the page that set it. */
export const CARRIED = ['range', 'from', 'to', 'service', 'release', 'host', 'live'] as const;

export type Changes = Record<string, string | number | null | undefined>;

/** The query string after `changes`: null, undefined and '' remove a parameter. */
export function changed(search: string, changes: Changes): string {
  const query = new URLSearchParams(search);
  for (const [key, value] of Object.entries(changes)) {
    if (value === null || value === undefined || value === '') query.delete(key);
    else query.set(key, String(value));
  }
  return text(query);
}

/** A relative link to another page, with the range and filters of this one. */
export function link(search: string, page: string, parameters: Changes = {}): string {
  const here = new URLSearchParams(search);
  const carried: Changes = {};
  for (const key of CARRIED) carried[key] = here.get(key);
  return page + changed('', { ...carried, ...parameters });
}

/** The query string of an API call: the range and filters of the page, and `parameters`. */
export function apiQuery(search: string, parameters: Changes = {}): string {
  const here = new URLSearchParams(search);
  const common: Changes = {
    service: here.get('service'),
    release: here.get('release'),
    host: here.get('host'),
    ...windowOf(here),
  };
  return changed('', { ...common, ...parameters });
}

function windowOf(query: URLSearchParams): Changes {
  const from = query.get('from');
  if (from) return { from, to: query.get('to') };
  return { range: query.get('range') ?? DEFAULT_RANGE };
}

/** Spaces as %20: `+` is one more thing that a proxy or a router may read in two ways. */
function text(query: URLSearchParams): string {
  const result = query.toString().replaceAll('+', '%20');
  return result && `?${result}`;
}
