/** The five key figures, each against the range of the same length before. */
import type { KeyFigure, OverviewAnswer } from '../../api/overview.ts';
import { Spark } from '../../draw/small.tsx';
import { Change, Percentile } from '../../parts/bits.tsx';
import { Figure, Kpi } from '../../parts/kpi.tsx';
import { useQuery } from '../../state/query.ts';
import * as f from '../../text/format.ts';

/** Growth from here on is drawn as worse. */
const WORSE = 0.2;

export function Figures({ data }: { data: OverviewAnswer }) {
  const query = useQuery();
  const { kpi, total } = data;
  const enough = Math.min(total.count, total.count_before) >= f.THIN;
  const change = (figure: KeyFigure) =>
    enough && figure.value !== null && figure.previous ? figure.value / figure.previous - 1 : null;
  const errors = kpi.error_rate.value ?? 0;
  return (
    <section class="panel" aria-label="Key figures">
      <div class="kpis five">
        <Kpi
          label="Throughput"
          formula="rate"
          value={<Figure text={`${f.rate(kpi.per_min.value)} req/min`} />}
          note={<Than share={change(kpi.per_min)} neutral />}
        >
          <Spark values={kpi.per_min.spark} width={78} height={30} />
        </Kpi>
        <Kpi
          label="Median latency"
          formula="p50"
          value={<Big figure={kpi.p50_ms} count={total.count} />}
          note={<Than share={change(kpi.p50_ms)} />}
        >
          <Spark values={kpi.p50_ms.spark} width={78} height={30} worse={(change(kpi.p50_ms) ?? 0) > WORSE} />
        </Kpi>
        <Kpi
          label="p95 latency"
          formula="p95"
          value={<Big figure={kpi.p95_ms} count={total.count} />}
          note={<Than share={change(kpi.p95_ms)} />}
        >
          <Spark values={kpi.p95_ms.spark} width={78} height={30} worse={(change(kpi.p95_ms) ?? 0) > WORSE} />
        </Kpi>
        <Kpi
          label="Errors"
          formula="errors"
          value={
            <span class={errors > 0.01 ? 'bad' : ''}>{f.percent(kpi.error_rate.value, errors >= 0.1 || !errors ? 1 : 2)}</span>
          }
          note={
            total.errors ? (
              <a class="link" href={query.link('traces', { failed: 1, sort: 'time' })}>
                {f.plural(total.errors, 'failed request')}
              </a>
            ) : (
              'none failed'
            )
          }
        >
          <Spark values={kpi.error_rate.spark} width={78} height={30} worse={errors > 0.01} />
        </Kpi>
        <Kpi
          label="Busy workers"
          formula="busy"
          value={<Figure text={`${busy(kpi.busy.value)} avg`} />}
          note={<Than share={change(kpi.busy)} neutral />}
        >
          <Spark values={kpi.busy.spark} width={78} height={30} />
        </Kpi>
      </div>
    </section>
  );
}

/** Threads or tasks at work are often far below one. */
const busy = (value: number | null): string =>
  value === null
    ? f.NONE
    : value >= 9.95
      ? value.toFixed(0)
      : value >= 0.095 || value === 0
        ? value.toFixed(1)
        : value.toPrecision(1);

const Than = ({ share, neutral = false }: { share: number | null; neutral?: boolean }) =>
  share === null ? (
    <span data-tip="Fewer than 20 requests in this range or in the one before.">nothing to compare</span>
  ) : (
    <>
      <Change share={share} neutral={neutral} /> vs before
    </>
  );

const Big = ({ figure, count }: { figure: KeyFigure; count: number }) =>
  count >= f.THIN ? <Figure text={f.ms(figure.value)} /> : <Percentile value={figure.value} count={count} strong />;
