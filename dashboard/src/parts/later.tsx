/** A piece of a page that is fetched once the page stands: what is not needed at first paint; `height` is kept free. */
import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { begin } from '../api/client.ts';

export function later<Props extends object>(
  load: () => Promise<{ default: ComponentType<Props> }>,
  height = 0,
): ComponentType<Props> {
  let Found: ComponentType<Props> | null = null;
  return function Later(props: Props) {
    const [state, set] = useState(Found ? 'here' : 'coming');
    useEffect(() => {
      if (Found) return;
      const end = begin();
      load()
        .then((module) => {
          Found = module.default;
          set('here');
        })
        .catch(() => set('failed'))
        .finally(end);
      return end;
    }, []);
    if (state === 'failed')
      return (
        <p class="empty-line" role="alert">
          A part of this page could not be fetched. Load the page again.
        </p>
      );
    return Found ? <Found {...props} /> : <div style={{ minHeight: `${height}px` }} />;
  };
}
