/** What this dashboard offers beside reading, asked once a page, and where an editor finds a line. */
import { useEffect } from 'preact/hooks';
import type { SiteAnswer } from '../api/acting.ts';
import { ask, begin } from '../api/client.ts';
import { saved } from '../state/saved.ts';
import { Signal, useSignal } from '../state/signal.ts';

const site = new Signal<SiteAnswer | null>(null);
let asked = saved !== null; // a file has nobody to ask

/** Null until it is known, and in a saved file for ever. */
export function useSite(): SiteAnswer | null {
  useEffect(() => {
    if (asked) return;
    asked = true;
    const end = begin();
    ask<SiteAnswer>('site')
      .then((answer) => site.set(answer))
      .catch(() => {}) // then nothing is offered; the page itself says what is wrong
      .finally(end);
  }, []);
  return useSignal(site);
}

/** Schemes that would run what they are given; the server refuses them too. */
const NEVER = /^(javascript|data|vbscript|blob|file|filesystem|about):/i;

/** The address that opens a line in the editor; null where there is no editor, or the file's path is not known. */
export function editorLink(site: SiteAnswer | null, file: string, line: number): string | null {
  if (!site?.editor) return null;
  const { link, paths } = site.editor;
  const whole = Object.hasOwn(paths, file) ? paths[file]! : '';
  if (!whole && link.includes('{path}')) return null;
  // A function, for "$&" in a file's name means something to a text.
  const href = link
    .replaceAll('{path}', () => quoted(`/${whole}`.replace(/^\/(?=[/\\])/, '')))
    .replaceAll('{file}', () => quoted(file))
    .replaceAll('{line}', String(line));
  return NEVER.test(href) ? null : href;
}

const quoted = (path: string): string => path.replace(/\p{Surrogate}/gu, '\ufffd').split(/[/\\]/).map(encodeURIComponent).join('/');
