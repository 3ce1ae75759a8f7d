/** Numbers and times as people read them; every figure on every page goes through here. */

const WHOLE = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
export const NONE = '–';

/** Fewer samples than this say little about a percentile. */
export const THIN = 20;

export const whole = (value: number | null | undefined): string =>
  value === null || value === undefined ? NONE : WHOLE.format(value);

/** A count in little room: 9,999, 12k, 3.4M. */
export const short = (value: number): string =>
  value < 1e4 ? whole(value) : value < 1e6 ? `${Math.round(value / 1e3)}k` : `${(value / 1e6).toFixed(1)}M`;

export function ms(value: number | null | undefined): string {
  if (value === null || value === undefined) return NONE;
  const size = Math.abs(value);
  if (size >= 599_950) return `${(value / 60_000).toFixed(0)} min`;
  if (size >= 9_995) return `${(value / 1000).toFixed(1)} s`;
  if (size >= 999.5) return `${(value / 1000).toFixed(2)} s`;
  if (size >= 9.95) return `${value.toFixed(0)} ms`;
  if (size >= 0.095 || size === 0) return `${value.toFixed(size === 0 ? 0 : 1)} ms`;
  return `${(value * 1000).toFixed(0)} µs`;
}

/** A difference, its sign always said. */
export function signed(value: number | null | undefined): string {
  if (value === null || value === undefined) return NONE;
  return value ? `${value > 0 ? '+' : '−'}${ms(Math.abs(value))}` : '0 ms';
}

/** A mark on an axis: no more digits than it needs. */
export const mark = (value: number): string => ms(value).replace(/\.0+ /, ' ');

/** Sums of time reach hours; a single duration hardly does. */
export function span(value: number): string {
  if (value >= 7_200_000) return `${(value / 3_600_000).toFixed(1)} h`;
  if (value >= 119_500) return `${(value / 60_000).toFixed(0)} min`;
  return ms(value);
}

/** The same text in two parts, for a big figure with a small unit. */
export function split(text: string): [figure: string, unit: string] {
  const at = text.indexOf(' ');
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

export function rate(value: number | null | undefined): string {
  if (value === null || value === undefined) return NONE;
  if (value >= 99.5) return WHOLE.format(value);
  if (value >= 9.95) return value.toFixed(0);
  if (value >= 0.095 || value === 0) return value === 0 ? '0' : value.toFixed(1);
  return value < 0.01 ? '<0.01' : value.toFixed(2);
}

/** A mean count per call: whole where it is whole. */
export function mean(value: number | null | undefined): string {
  if (value === null || value === undefined) return NONE;
  if (value >= 99.5 || Number.isInteger(value)) return WHOLE.format(value);
  return value.toFixed(1).replace(/\.0$/, '');
}

export function kb(value: number | null | undefined, signed = false): string {
  if (value === null || value === undefined) return NONE;
  const size = Math.abs(value);
  const sign = value < 0 ? '−' : signed && value > 0 ? '+' : '';
  if (size >= 1024 ** 2) return `${sign}${(size / 1024 ** 2).toFixed(1)} GB`;
  if (size >= 1024) return `${sign}${(size / 1024).toFixed(1)} MB`;
  return `${sign}${size >= 10 || size === 0 ? size.toFixed(0) : size.toFixed(1)} kB`;
}

export const bytes = (value: number | null | undefined): string =>
  value === null || value === undefined ? NONE : kb(value / 1024);

/** A share from 0 to 1 as a percentage. */
export function percent(share: number | null | undefined, digits = 1): string {
  if (share === null || share === undefined) return NONE;
  const value = share * 100;
  if (value > 0 && value < 0.05 && digits > 0) return '<0.1%';
  return `${value.toFixed(digits)}%`;
}

const pad = (value: number): string => String(value).padStart(2, '0');

/** A time of day, in the reader's own time zone. */
export function clock(seconds: number, withSeconds = false): string {
  const date = new Date(seconds * 1000);
  return `${pad(date.getHours())}:${pad(date.getMinutes())}${withSeconds ? `:${pad(date.getSeconds())}` : ''}`;
}

export function day(seconds: number): string {
  const date = new Date(seconds * 1000);
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
}

/** A moment: the time alone today, with its day before. */
export function moment(seconds: number, now = Date.now() / 1000): string {
  return day(seconds) === day(now) ? clock(seconds, true) : `${day(seconds).slice(5)} ${clock(seconds, true)}`;
}

/** The same moment for a tooltip, without doubt about the zone. */
export const exact = (seconds: number): string => new Date(seconds * 1000).toISOString().replace('T', ' ').replace('Z', ' UTC');

export function ago(seconds: number, now = Date.now() / 1000): string {
  const age = Math.max(0, now - seconds);
  if (age < 90) return `${Math.round(age)} s ago`;
  if (age < 5400) return `${Math.round(age / 60)} min ago`;
  if (age < 172_800) return `${(age / 3600).toFixed(1)} h ago`;
  return `${Math.round(age / 86_400)} days ago`;
}

export function lasted(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${(seconds / 3600).toFixed(1).replace('.0', '')} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

/** Names come from strangers: short enough to draw, and with no sign that turns the text around it. */
export function tame(text: string, limit = 400): string {
  const shown = text.length > limit ? `${text.slice(0, limit)}…` : text;
  return shown
    .replace(/[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]/g, '\ufffd')
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, '·');
}

/** The tail of a path, which is the part that tells files apart. */
export function shortPath(path: string, parts = 3): string {
  const folders = path.split(/[/\\]/);
  return tame(folders.length <= parts ? path : folders.slice(-parts).join('/'), 120);
}

export const plural = (count: number, one: string, many = `${one}s`): string => `${whole(count)} ${count === 1 ? one : many}`;
