/** Overview: is it slow now, since when, and what to fix first? */
import type { OverviewAnswer } from '../../api/overview.ts';
import { type Answer, useAnswer } from '../../api/use.ts';
import { Latency, useBox } from '../../parts/latency.tsx';
import { Empty, Loaded } from '../../parts/states.tsx';
import * as f from '../../text/format.ts';
import { Ranking } from './endpoints.tsx';
import { Explain } from './explain.tsx';
import { Figures } from './figures.tsx';
import { FixFirst } from './fix.tsx';
import { TimeByKind } from './kinds.tsx';
import { Slowest } from './slowest.tsx';
import { Workers } from './workers.tsx';

export default function Overview() {
  const answer = useAnswer<OverviewAnswer>('overview');
  return (
    <Loaded answer={answer} what="the overview" height={600}>
      {(data) => <Content data={data} answer={answer} />}
    </Loaded>
  );
}

function Content({ data, answer }: { data: OverviewAnswer; answer: Answer<OverviewAnswer> }) {
  const [box, select] = useBox(data);
  const { total, window } = data;
  if (!total.count)
    return (
      <div class="panel">
        <h1 class="sr-only">Overview</h1>
        <Empty common={data} noun="requests" />
      </div>
    );
  // the first one of all began when recording did, which is no news
  const markers = data.releases
    .slice(0, -1)
    .filter(({ first_seen: at }) => at >= window.from && at <= window.to)
    .map(({ version, first_seen: at }) => ({ at, name: version }));
  return (
    <>
      <h1 class="sr-only">Overview of the last {f.lasted(window.to - window.from)}</h1>
      <Figures data={data} />
      <div class="columns main-side">
        <Latency
          data={data}
          title="Latency of every request"
          sub={
            <>
              {f.plural(total.count, 'request')}, drag a box <span class="wide-only">to see what they share</span>
            </>
          }
          noun="request"
          count={total.count}
          errors={total.errors}
          box={box}
          select={select}
          markers={markers}
        />
        {box ? <Explain box={box} window={window} clear={() => select(null)} /> : <TimeByKind data={data} />}
      </div>
      <FixFirst data={data} />
      <Ranking data={data} />
      <div class="columns slow-workers">
        <Slowest data={data} />
        <Workers data={data} />
      </div>
      <p class="page-json">
        <a class="link" href={`api/v1/${answer.path}`}>
          View as JSON
        </a>
      </p>
    </>
  );
}
