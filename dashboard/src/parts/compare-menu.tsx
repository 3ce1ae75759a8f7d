/** The ways from an endpoint into Compare: this time with the one before it, or two releases. */
import { Icon } from './icon.tsx';
import { useQuery } from '../state/query.ts';

export function CompareMenu({ endpoint }: { endpoint: { name: string; kind: string; service: string } }) {
  const query = useQuery();
  const { name, kind, service } = endpoint;
  const to = (by: string) => query.link('compare', { name, kind, service, by });
  return (
    <details class="popover-host">
      <summary class="button">
        <Icon name="compare" />
        Compare
      </summary>
      <div class="popover menu">
        <a href={to('window')}>This time with the one before</a>
        <a href={to('release')}>Before and after a release</a>
      </div>
    </details>
  );
}
