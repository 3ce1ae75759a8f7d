/** The processes at work: their memory, restarts, what is in flight, and collections. */
import { useEffect } from 'preact/hooks';
import type { OverviewAnswer, Worker } from '../../api/overview.ts';
import { send } from '../../api/send.ts';
import { Panel } from '../../parts/panel.tsx';
import { useQuery } from '../../state/query.ts';
import * as f from '../../text/format.ts';

const MOST = 16;
/** A figure in each bar needs room. */
const LABELLED = 8;

export function Workers({ data }: { data: OverviewAnswer }) {
  const query = useQuery();
  const live = query.get('live') === '1';
  const { workers, crew } = data;
  // Processes tell what is in flight only while somebody asks: with Live on, this page does.
  useEffect(() => {
    if (live) send('live', {}).catch(() => {}); // the figure then stays unknown, and says so
  }, [live, data]);
  const known = workers.filter((worker): worker is Worker & { rss_kb: number } => worker.rss_kb !== null);
  const shown = [...known].sort((a, b) => b.rss_kb - a.rss_kb).slice(0, MOST);
  const highest = shown[0];
  return (
    <Panel id="workers" title="Workers" sub={`${f.plural(workers.length, 'process', 'processes')}, resident memory`}>
      {highest ? (
        <Bars workers={shown} most={highest.rss_kb} />
      ) : (
        <p class="empty-line">
          {workers.length ? 'None of them says how much memory it has.' : 'No process was heard of lately.'}
        </p>
      )}
      {known.length > MOST && (
        <p class="hint">
          The {MOST} largest of {f.whole(known.length)}.
        </p>
      )}
      <dl class="facts">
        <div>
          <dt data-tip="The most resident memory that a process had when it last wrote. Its limit is not known here.">Highest</dt>
          <dd>{highest ? `${f.kb(highest.rss_kb)}, pid ${highest.pid}` : f.NONE}</dd>
        </div>
        <div>
          <dt data-tip="Server processes that began in this range after another one of their service and host had ended in it.">
            Restarts
          </dt>
          <dd>{crew.restarts === null ? <Unknown why="No server process was seen in this range." /> : f.whole(crew.restarts)}</dd>
        </div>
        <div>
          <dt data-tip="Requests that have begun and not ended. Processes tell it only while somebody asks: with Live on, this page does.">
            In flight
          </dt>
          <dd>
            {crew.in_flight ? (
              `${f.whole(crew.in_flight.count)}${crew.in_flight.oldest_ms === null ? '' : `, oldest ${f.ms(crew.in_flight.oldest_ms)}`}`
            ) : live ? (
              <Unknown why="The processes were asked and have not answered yet." />
            ) : (
              <button type="button" class="quiet link" onClick={() => query.set({ live: 1 }, { replace: true })}>
                Ask with Live
              </button>
            )}
          </dd>
        </div>
        <div>
          <dt data-tip="The most time that garbage collections took in one request, of those where it was worth telling.">
            Longest GC
          </dt>
          <dd>
            {crew.longest_gc_ms === null ? <Unknown why="No request was held up by collections." /> : f.ms(crew.longest_gc_ms)}
          </dd>
        </div>
      </dl>
    </Panel>
  );
}

const Unknown = ({ why }: { why: string }) => (
  <span class="faint" data-tip={why}>
    {f.NONE}
  </span>
);

function Bars({ workers, most }: { workers: (Worker & { rss_kb: number })[]; most: number }) {
  const words = workers.map((worker) => `${f.tame(worker.service, 30)} pid ${worker.pid} ${f.kb(worker.rss_kb)}`);
  return (
    <div class="worker-bars" role="img" aria-label={`Resident memory per process: ${words.join(', ')}.`}>
      {workers.map((worker, i) => (
        <span
          key={`${worker.host} ${worker.pid} ${worker.started}`}
          class="worker-bar"
          style={{ height: `${(100 * worker.rss_kb) / most}%` }}
          data-tip={`${words[i]} on ${f.tame(worker.host, 60)}, heard of ${f.ago(worker.last_seen)}`}
        >
          {workers.length <= LABELLED && <em>{(worker.rss_kb / 1024).toFixed(0)} MB</em>}
        </span>
      ))}
    </div>
  );
}
