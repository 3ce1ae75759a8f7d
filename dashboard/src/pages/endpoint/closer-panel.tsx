/** Arms measuring of the next requests of an endpoint, and shows what was measured of it in this range. */
import { useEffect } from 'preact/hooks';
import type { CapturesAnswer } from '../../api/memory.ts';
import { useAnswer } from '../../api/use.ts';
import { Arming } from '../../parts/arming.tsx';
import { Captured } from '../../parts/captures.tsx';
import { Panel } from '../../parts/panel.tsx';
import { Failure } from '../../parts/states.tsx';
import type { Changes } from '../../state/url.ts';

export default function CloserPanel({ identity }: { identity: Changes }) {
  const { name, kind, service } = identity;
  const answer = useAnswer<CapturesAnswer>('captures', { name, kind, service }, { still: true });
  const { data, error, reload } = answer;
  // a link to this panel was followed before the panel was there
  useEffect(() => {
    if (location.hash === '#closer') document.getElementById('closer')?.scrollIntoView();
  }, [data !== null]);
  return (
    <Panel
      id="closer"
      title="Look closer"
      sub="measure the next requests of this endpoint exactly, then no more"
      tools={
        <a class="button" href={`api/v1/${answer.path}`}>
          JSON
        </a>
      }
    >
      <Arming name={String(name)} service={String(service ?? '')} told={reload} />
      {error && <Failure error={error} what="what was measured" retry={reload} />}
      {data && data.captures.length > 0 ? (
        <Captured data={data} />
      ) : (
        data && <p class="empty-line">Nothing was measured on demand in this range. Results stand here as they come.</p>
      )}
    </Panel>
  );
}
