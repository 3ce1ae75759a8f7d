/** Memory: who grows, and who leaks? */
import type { MemoryAnswer } from '../../api/memory.ts';
import { useAnswer } from '../../api/use.ts';
import { later } from '../../parts/later.tsx';
import { Empty, Loaded } from '../../parts/states.tsx';
import { Endpoints } from './endpoints.tsx';
import { Header } from './header.tsx';
import { Pauses } from './pauses.tsx';
import { Workers } from './workers.tsx';

const Capture = later(() => import('./capture.tsx'), 220);

export default function Memory() {
  const answer = useAnswer<MemoryAnswer>('memory');
  return (
    <Loaded answer={answer} what="the memory" height={600}>
      {(data) => (
        <>
          <Header data={data} path={answer.path} />
          {data.workers.length || data.endpoints.length ? (
            <>
              <Workers data={data} />
              <Endpoints data={data} />
              <Capture data={data} />
              <Pauses data={data} />
            </>
          ) : (
            <div class="panel">
              <Empty common={data} noun="transactions" filters={[]} />
            </div>
          )}
        </>
      )}
    </Loaded>
  );
}
