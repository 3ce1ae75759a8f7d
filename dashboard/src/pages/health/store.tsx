/** The store: where it is, how large, how far each kind of record reaches back, and what it was written by. */
import type { HealthAnswer } from '../../api/health.ts';
import { Panel } from '../../parts/panel.tsx';
import * as f from '../../text/format.ts';
import { type Fact, Facts } from './facts.tsx';

/** How far one who ships is, and what was lost. */
function shipped(one: HealthAnswer['store']['shipping'][number]): Fact {
  const said = [
    one.at === null ? 'nothing got through yet' : `all of ${f.ago(one.at)}`,
    `${f.whole(one.shipped)} transactions`,
    one.dropped > 0 && `${f.whole(one.dropped)} deleted before they were shipped`,
    one.waiting && `waits: ${f.tame(one.waiting, 160)}`,
  ];
  return [
    one.server ? 'Shipped to' : 'Shipped from',
    [f.tame(one.server ?? one.shipper ?? '', 80), ...said.filter(Boolean)].join(', '),
    'To a ClickHouse server, by apm-agent ship.',
    one.dropped || one.waiting ? 'warn' : '',
  ];
}

export function Store({ data: { agent, dashboard, store } }: { data: HealthAnswer }) {
  const now = Date.now() / 1000;
  const age = (oldest: number | null) => (oldest === null ? null : Math.max(0, now - oldest));
  return (
    <Panel id="store" title="Store and retention" sub="the oldest go first">
      <ul class="kept">
        {store.kept.map((kept) => {
          const [reached, most] = [age(kept.oldest), kept.max_age_s];
          const share = reached !== null && most ? Math.min(1, reached / most) : 0;
          return (
            <li key={kept.what}>
              <span>{kept.what}</span>
              <span class="track" aria-hidden="true">
                <i class="k-python" style={{ width: `${100 * share}%` }} />
              </span>
              <span class="num" data-tip="Age of the oldest there is, of how long it is kept.">
                {reached === null ? 'none yet' : f.lasted(reached)}
                <span class="faint"> of {most === null ? 'an age not known' : f.lasted(most)}</span>
              </span>
            </li>
          );
        })}
      </ul>
      <Facts
        facts={[
          ['Place', f.tame(store.url, 160)],
          [
            'Size',
            store.max_bytes
              ? `${f.bytes(store.bytes)} of ${f.bytes(store.max_bytes)}`
              : f.bytes(store.bytes),
            'The database file, against the setting max_size.',
          ],
          ['Write-ahead log', f.bytes(store.wal_bytes), 'Written but not yet folded into the database file.'],
          ['Transactions', f.whole(store.transactions), 'Each finished one is a row.'],
          [
            'With detail',
            f.whole(store.details),
            'Of these the spans and samples are kept: what was slow, failed, first or told a cause, and a uniform share.',
          ],
          ...store.shipping.map(shipped),
          ['Schema', `${f.tame(String(agent.schema), 20)}, read up to ${agent.reads}`],
          ['apm-agent', f.tame(String(agent.version), 40), 'Of the dashboard.'],
          ['Python', dashboard.python, 'Of the dashboard.'],
          ['SQLite', dashboard.sqlite, 'Of the dashboard.'],
          ['Werkzeug', dashboard.werkzeug || f.NONE, 'Of the dashboard.'],
        ]}
      />
    </Panel>
  );
}
