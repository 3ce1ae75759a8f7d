/** The frame of every page: rail, top bar, notices, and the page itself in the middle. */
import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { ApiError, begin, store } from '../api/client.ts';
import { Failure } from '../parts/states.tsx';
import type { Page } from '../pages.ts';
import { useSignal } from '../state/signal.ts';
import * as f from '../text/format.ts';
import { useFilters } from './filters.ts';
import { Guard } from './guard.tsx';
import { Help } from './help.tsx';
import { useKeys } from './keys.ts';
import { Rail } from './rail.tsx';
import { TopBar } from './topbar.tsx';

export function Shell({ page }: { page: Page }) {
  const [help, setHelp] = useState(false);
  useFilters();
  useKeys(() => setHelp((open) => !open));
  return (
    <div class="shell">
      <Rail page={page} help={() => setHelp(true)} />
      <div class="content">
        <TopBar page={page} />
        <Stale />
        <main id="main" tabIndex={-1}>
          <Guard>
            <Body page={page} />
          </Guard>
        </main>
      </div>
      {help && <Help close={() => setHelp(false)} />}
    </div>
  );
}

function Body({ page }: { page: Page }) {
  const [Content, set] = useState<ComponentType | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  useEffect(() => {
    const end = begin();
    page
      .load()
      .then((module) => set(() => module.default))
      .catch(() =>
        setError(
          new ApiError(
            0,
            'script',
            'A script of this page did not arrive. The server may have been updated: load the page again.',
          ),
        ),
      )
      .finally(end);
  }, [page]);
  if (error) return <Failure error={error} what="this page" retry={() => location.reload()} />;
  return Content && <Content />;
}

/** The bar that says that what one looks at has stopped growing. */
function Stale() {
  const state = useSignal(store);
  if (state?.partial)
    return (
      <div class="stale" role="status">
        {f.tame(state.partial, 300)}
      </div>
    );
  if (!state?.stale || state.written_at === null) return null;
  const age = f.ago(state.written_at);
  return (
    <div class="stale" role="status">
      The store was last written {age}. Is the app still running, and does it still write to this store?
    </div>
  );
}
