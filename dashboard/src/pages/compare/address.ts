/** What is compared, in the page's own address: two sides and an endpoint, or none of it for what is usual. */
import type { Side } from '../../api/compare.ts';
import type { Query } from '../../state/query.ts';
import type { Changes } from '../../state/url.ts';
import * as f from '../../text/format.ts';

const SUBJECT = ['name', 'kind', 'b_name', 'b_kind', 'b_service'] as const;
/** Sides say themselves when they are: the page's own range is for the links to other pages. */
const NOWHEN = { range: null, from: null, to: null, release: null };

export const isNamed = (query: Query): boolean => Boolean(query.get('a') || query.get('b'));

/** The parameters of the question; without sides, this range and the one before, or two releases. */
export function asked(query: Query): Changes {
  const subject: Changes = Object.fromEntries(SUBJECT.map((name) => [name, query.get(name)]));
  if (isNamed(query)) return { ...subject, ...NOWHEN, a: query.get('a'), b: query.get('b') };
  return { ...subject, by: query.get('by') };
}

const day = (seconds: number): string => f.moment(seconds).slice(0, -3);

/** A side in words: `Last 6h`, `1.4.0`, `trace 1a2b…`. */
export function words(label: string): string {
  const [kind, value = ''] = [label.slice(0, label.indexOf(':')), label.slice(label.indexOf(':') + 1)];
  if (kind === 'release') return f.tame(value, 40);
  if (kind === 'tx') return `trace ${f.tame(value.slice(-6), 6)}`;
  if (kind === 'before') return `the ${f.tame(value, 20)} before`;
  const [from, to] = value.split('..');
  if (to === undefined) return `last ${f.tame(value, 20)}`;
  const moment = (text: string) => (Number.isFinite(Number(text)) && text ? day(Number(text)) : f.tame(text, 30));
  return `${moment(from!)} to ${to ? moment(to) : 'now'}`;
}

/** When a side was: the time in which it had calls at all. */
export function when({ seen, from, to, trace }: Side): string {
  if (trace) return f.moment(trace.t);
  const span = seen ?? { from, to };
  if (f.day(span.from) === f.day(span.to)) return `${day(span.from)}–${f.clock(span.to)}`;
  return [span.from, span.to].map((at) => `${f.day(at).slice(5)} ${f.clock(at)}`).join(' – ');
}
