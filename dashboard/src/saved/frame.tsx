/** The frame of a saved page: what it is, of when, how large; and the page. */
import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { begin } from '../api/client.ts';
import { focus, typing } from '../frame/keys.ts';
import { Guard } from '../frame/guard.tsx';
import { Icon } from '../parts/icon.tsx';
import type { Page } from '../pages.ts';
import { theme, toggleTheme } from '../state/prefs.ts';
import type { Saved } from '../state/saved.ts';
import { useSignal } from '../state/signal.ts';
import * as f from '../text/format.ts';

export function Frame({ page, file }: { page: Page; file: Saved }) {
  const colours = useSignal(theme);
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.defaultPrevented || typing(event)) return;
      if (event.key === 'd') toggleTheme();
      else if (event.key === 'f') focus('[data-flame-search]');
      else if ((event.key === 'j' || event.key === 'k') && event.target === document.body)
        focus('tr[data-row][tabindex="0"], [role=row][tabindex="0"]');
      else return;
      event.preventDefault();
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, []);
  return (
    <div class="shell saved">
      <div class="content">
        <header class="top">
          <span>
            <b>{file.title}</b> as it was on {f.day(file.at)} {f.clock(file.at)}
            <span class="muted">
              , saved by apm-agent {f.tame(file.version, 20)} in {f.bytes(file.bytes)}. It loads nothing and does not change.
            </span>
          </span>
          <span class="space" />
          <button
            type="button"
            class="button"
            onClick={toggleTheme}
            aria-label={`Use the ${colours === 'dark' ? 'light' : 'dark'} theme`}
            data-tip="Key: d"
          >
            <Icon name="theme" />
          </button>
        </header>
        <main id="main" tabIndex={-1}>
          <Guard>
            <Body page={page} />
          </Guard>
        </main>
      </div>
    </div>
  );
}

function Body({ page }: { page: Page }) {
  const [Content, set] = useState<ComponentType | null>(null);
  useEffect(() => {
    const end = begin();
    page
      .load()
      .then((module) => set(() => module.default))
      .finally(end);
  }, [page]);
  return Content && <Content />;
}
