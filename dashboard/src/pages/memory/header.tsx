/** The key figures of memory: workers, restarts, leaks, how sure they are, and the collector. */
import type { ComponentChildren } from 'preact';
import type { MemoryAnswer } from '../../api/memory.ts';
import * as f from '../../text/format.ts';

export function Header({ data, path }: { data: MemoryAnswer; path: string }) {
  const { workers, restarts, endpoints, total, gc } = data;
  const silent = workers.filter((one) => one.silent).length;
  const largest = workers.reduce<(typeof workers)[number] | null>(
    (most, one) => (one.rss_kb !== null && !one.silent && one.rss_kb > (most?.rss_kb ?? -1) ? one : most),
    null,
  );
  const leaks = endpoints.filter((one) => one.verdict === 'leaks').length;
  const few = endpoints.filter((one) => one.verdict === 'too few').length;
  const again = restarts.filter((one) => one.why === 'restart').length;
  const share = total.calls ? total.exclusive / total.calls : null;
  return (
    <section class="panel" aria-labelledby="memory-title">
      <div class="headline">
        <div>
          <h1 id="memory-title">Memory</h1>
          <p class="sub">who grows, and who leaks</p>
        </div>
        <div class="actions">
          <a class="button" href={`api/v1/${path}`}>
            JSON
          </a>
        </div>
      </div>
      <div class="kpis six">
        <Kpi
          label="Workers"
          tip="Processes that wrote to the store in this range; those not heard of for 10 minutes while others were have ended or have nothing to do."
          value={f.whole(workers.length + data.left_out)}
          note={silent ? `${f.whole(silent)} not heard of lately` : 'all heard of lately'}
        />
        <Kpi
          label="Largest worker"
          tip="Resident memory (RSS) at the end of its last transaction in this range, of those heard of lately."
          value={f.kb(largest?.rss_kb ?? null)}
          note={largest ? `pid ${largest.pid}, ${f.tame(largest.service, 40)}` : 'not known'}
        />
        <Kpi
          label="Restarts"
          tip="Workers that began within 2 minutes after another of the same service and host was last heard of, with the same release. Why it ended, nobody tells."
          value={f.whole(again)}
          note={f.plural(data.releases.length, 'release')}
        />
        <Kpi
          label="Endpoints that leak"
          tip="Chance that their calls keep nothing under 1%, at least 64 KB in 1,000 calls, and it is still there in the workers."
          value={<span class={leaks ? 'bad' : ''}>{f.whole(leaks)}</span>}
          note={few ? `${f.whole(few)} with too few calls to say` : `of ${f.whole(total.endpoint_count)}`}
        />
        <Kpi
          label="Calls measured alone"
          tip="Calls during which nothing else ran in their process ÷ all calls whose process could be measured. Only those enter the ranking."
          value={share === null ? f.NONE : f.percent(share, 0)}
          note={`${f.whole(total.exclusive)} of ${f.whole(total.calls)}`}
        />
        <Kpi
          label="Time in GC pauses"
          tip="Time in pauses of the garbage collector ÷ time of all transactions of this range."
          value={f.percent(gc.of_all_time)}
          note={gc.longest ? `longest ${f.ms(gc.longest.ms)}` : 'no pause kept'}
        />
      </div>
      {data.more && <p class="hint">Only the newest 200,000 transactions of this range were looked at.</p>}
    </section>
  );
}

function Kpi({ label, tip, value, note }: { label: string; tip: string; value: ComponentChildren; note: string }) {
  return (
    <div class="kpi">
      <span class="label" data-tip={tip}>
        {label}
      </span>
      <span class="value">{typeof value === 'string' ? <Figure text={value} /> : value}</span>
      <span class="note">{note}</span>
    </div>
  );
}

function Figure({ text }: { text: string }) {
  const [figure, unit] = f.split(text);
  return (
    <>
      {figure}
      {unit && <small>{unit}</small>}
    </>
  );
}
