/** Small pieces that many tables share: method, change, kind bar, figure with its bar. */
import type { Kinds } from '../api/types.ts';
import * as f from '../text/format.ts';
import { KIND_NAMES, kindClass, parts } from '../text/kinds.ts';

const METHODS = new Set(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS']);

/** An endpoint's name, its method set apart where it has one. */
export function Name({
  method,
  route,
  name,
  href,
}: {
  method: string | null;
  route: string | null;
  name: string;
  href?: string;
}) {
  const text = f.tame(method && route ? route : name);
  return (
    <>
      {method && route && <span class={`method ${METHODS.has(method) ? method : ''}`}>{f.tame(method, 8)}</span>}
      {href ? (
        <a class="route" href={href} title={text} dir="ltr">
          {text}
        </a>
      ) : (
        <span class="route" dir="ltr">
          {text}
        </span>
      )}
    </>
  );
}

/** A change against the range before; growth is worse unless told otherwise. Arrow and sign say it without colour. */
export function Change({ share, neutral = false }: { share: number | null; neutral?: boolean }) {
  if (share === null)
    return (
      <span class="faint" data-tip="No comparison: fewer than 20 calls in this range or in the one before.">
        {f.NONE}
      </span>
    );
  const flat = Math.abs(share) < 0.03;
  const tone = flat || neutral ? 'flat' : share > 0 ? 'bad' : 'good';
  const text = Math.abs(share) >= 10 ? `×${(share + 1).toFixed(0)}` : f.percent(Math.abs(share), Math.abs(share) >= 1 ? 0 : 1);
  return (
    <span class={`change ${tone}`}>
      {flat ? '≈ ' : share > 0 ? '↑ ' : '↓ '}
      {text}
    </span>
  );
}

export function KindBar({
  kinds,
  width = 1,
  height = 9,
  label,
}: {
  kinds: Kinds;
  width?: number;
  height?: number;
  label?: string;
}) {
  const all = parts(kinds);
  const text = label ?? all.map((part) => `${KIND_NAMES[part.kind]} ${f.percent(part.share, 0)}`).join(', ');
  return (
    <span class="kindbar" style={{ height: `${height}px` }} role="img" aria-label={text || 'no time'} data-tip={text}>
      <span style={{ width: `${100 * width}%` }}>
        {all.map((part) => (
          <i key={part.kind} class={kindClass(part.kind)} style={{ width: `${100 * part.share}%` }} />
        ))}
      </span>
    </span>
  );
}

export function KindLegend({ kinds }: { kinds: string[] }) {
  return (
    <span class="legend">
      {kinds.map((kind) => (
        <span key={kind}>
          <i class={`swatch ${kindClass(kind)}`} />
          {KIND_NAMES[kind] ?? kind}
        </span>
      ))}
    </span>
  );
}

/** A figure with a bar before it, so that a column of them can be read at a glance; `within` is the paler whole. */
export function Bar({
  share,
  within = 0,
  text,
  tone = 'k-python',
}: {
  share: number;
  within?: number;
  text: string;
  tone?: string;
}) {
  const percent = (value: number) => `${100 * Math.max(0, Math.min(1, value))}%`;
  return (
    <span class="barcell">
      <span class="track">
        {within > 0 && <i class={`${tone} pale`} style={{ width: percent(within) }} />}
        <i class={tone} style={{ width: percent(share) }} />
      </span>
      <span class="num">{text}</span>
    </span>
  );
}

/** A percentile, greyed where too few calls stand behind it. */
export function Percentile({ value, count, strong = false }: { value: number | null; count: number; strong?: boolean }) {
  if (value === null) return <span class="faint">{f.NONE}</span>;
  if (count < f.THIN)
    return (
      <span class="thin" data-tip={`Only ${f.plural(count, 'call')}: under ${f.THIN} a percentile says little.`}>
        {f.ms(value)}
        {strong && <small> n={count}</small>}
      </span>
    );
  return strong ? <b>{f.ms(value)}</b> : <span class="soft">{f.ms(value)}</span>;
}

const FLAG_TONES: Record<string, string> = {
  'n+1': 'warn',
  memory: 'warn',
  errors: 'bad',
  blocked: 'bad',
  slow: 'warn',
  regressed: 'bad',
};

export function Flag({ name }: { name: string }) {
  return <span class={`flag ${FLAG_TONES[name] ?? ''}`}>{f.tame(name, 24)}</span>;
}

export function Status({ status, failed, error }: { status: number | null; failed: boolean; error: string | null }) {
  const text = status === null ? (failed ? 'failed' : 'ok') : String(status);
  return (
    <span
      class={`chip ${failed ? 'bad' : status !== null && status >= 400 ? 'warn' : 'good'}`}
      data-tip={error ? `Raised ${f.tame(error, 120)}` : undefined}
    >
      {text}
      {error ? ` ${f.tame(error, 40)}` : ''}
    </span>
  );
}

export function Moment({ at }: { at: number }) {
  return (
    <time class="num" dateTime={new Date(at * 1000).toISOString()} title={f.exact(at)}>
      {f.moment(at)}
    </time>
  );
}
