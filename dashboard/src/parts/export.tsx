/** What can be taken away of a page: every format there is a tool for, the page as one file, and its JSON. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { Export } from '../api/acting.ts';
import { typing } from '../frame/keys.ts';
import { saved } from '../state/saved.ts';
import { type Changes, apiQuery, changed } from '../state/url.ts';
import * as f from '../text/format.ts';
import { Icon } from './icon.tsx';
import { useSite } from './site.ts';

const ITEMS = 'a[href], button:not([disabled])';

/** A menu below a button: opened by a key too, walked with the arrows, closed by Esc or a press elsewhere. */
export function Menu({
  title,
  icon,
  hotkey,
  wide = false,
  children,
}: {
  title: string;
  icon: string;
  hotkey: string;
  wide?: boolean;
  children: ComponentChildren;
}) {
  const host = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    const box = host.current;
    if (!box) return;
    const close = (back: boolean) => {
      if (!box.open) return;
      box.open = false;
      if (back) box.querySelector('summary')!.focus();
    };
    const press = (event: KeyboardEvent) => {
      if (event.defaultPrevented || typing(event)) return;
      if (event.key === hotkey && !event.shiftKey) {
        box.open = !box.open;
        (box.open ? box.querySelector<HTMLElement>(ITEMS) : box.querySelector('summary'))?.focus();
      } else if (event.key === 'Escape' && box.open) close(box.contains(document.activeElement));
      else return;
      event.preventDefault();
    };
    const away = (event: Event) => box.contains(event.target as Node) || close(false);
    addEventListener('keydown', press);
    addEventListener('pointerdown', away);
    return () => {
      removeEventListener('keydown', press);
      removeEventListener('pointerdown', away);
    };
  }, [hotkey]);
  const walk = (event: KeyboardEvent) => {
    const box = host.current;
    if (!box) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || !box.open) return;
    const items = [...box.querySelectorAll<HTMLElement>(ITEMS)];
    const at = items.indexOf(document.activeElement as HTMLElement);
    items[(at + step + items.length) % items.length]?.focus();
    event.preventDefault();
    event.stopPropagation();
  };
  if (saved) return null;
  return (
    <details class="popover-host" ref={host} onKeyDown={walk}>
      <summary class="button" data-tip={`Key: ${hotkey}`}>
        <Icon name={icon} />
        {title}
      </summary>
      <div class={`popover menu ${wide ? 'wide' : ''}`}>{children}</div>
    </details>
  );
}

/** What there is to write a file from; what is not known is tried. */
export type Sources = Partial<Record<Export['takes'][number], boolean>>;

const LACKS = {
  profile: 'no samples',
  callgraph: 'not measured with cProfile',
  record: 'one transaction only',
};

/** The range and filters of the page, as questions take them. */
export const commonOf = (search: string): Changes => Object.fromEntries(new URLSearchParams(apiQuery(search)));

export function Exports({
  page,
  parameters,
  sources,
  path,
}: {
  page: string;
  /** what names the subject, in the questions `profile` and `saved` alike */
  parameters: Changes;
  /** none: the page is of no one profile */
  sources?: Sources;
  /** the page's own question */
  path: string;
}) {
  const site = useSite();
  const name = [page, parameters['id'] ?? parameters['name']].filter(Boolean).join('-').replace(/[^\w.-]+/g, '-');
  return (
    <Menu title="Export" icon="export" hotkey="e">
      {site?.files.pages.includes(page) && (
        <Item
          href={`api/v1/saved${changed('', { page, ...parameters })}`}
          title="This page as one file"
          about={`HTML, opens anywhere${site.files.bytes ? `; ${f.bytes(site.files.bytes)} and its data` : ''}`}
        />
      )}
      {(sources ? (site?.exports ?? []) : []).map(({ format, opens, takes }) => {
        const can = takes.some((source) => sources?.[source] !== false);
        return can ? (
          <Item
            key={format}
            href={`api/v1/profile${changed('', { ...parameters, format })}`}
            title={format}
            about={opens}
          />
        ) : (
          <span key={format} class="off">
            {format}
            <small>{takes.map((source) => LACKS[source]).join(', ')}</small>
          </span>
        );
      })}
      <Item href={`api/v1/${path}`} name={`${name}.json`} title="JSON" about="all that the page is drawn from" />
    </Menu>
  );
}

function Item({ href, name = '', title, about }: { href: string; name?: string; title: string; about: string }) {
  return (
    <a href={href} download={name || true}>
      {title}
      <small>{about}</small>
    </a>
  );
}
