/** What transactions allocated and left alive: by line, by type, and who holds it. */
import type { Kept } from '../api/memory.ts';
import * as f from '../text/format.ts';
import { Bar } from './bits.tsx';
import { PlaceLink, PythonLine } from './source.tsx';
import { type Column, Table } from './table.tsx';

const FIRST = 12;

export function Keeps({ kept, of = 1 }: { kept: Kept; of?: number }) {
  return (
    <>
      <dl class="facts">
        <div>
          <dt data-tip="Sum of what was allocated while it was measured and still alive as it ended, by tracemalloc">Kept</dt>
          <dd>
            {f.kb(kept.kept_kb, true)}
            {of > 1 && <small> {f.kb(kept.kept_kb / of, true)} each</small>}
          </dd>
        </div>
        <div>
          <dt data-tip="The most that was allocated at one moment meanwhile, by tracemalloc">
            Peak{of > 1 ? ', the highest' : ''}
          </dt>
          <dd>{f.kb(kept.peak_kb)}</dd>
        </div>
        <div>
          <dt data-tip="Objects that the collector knew of as it ended">Objects looked at</dt>
          <dd>{f.whole(kept.objects)}</dd>
        </div>
        <div>
          <dt data-tip="Time that the measuring itself took: counting objects before and after, and comparing">Measuring took</dt>
          <dd>{f.ms(kept.took_ms)}</dd>
        </div>
        <div>
          <dt data-tip="Memory belongs to a process: what other transactions allocated meanwhile is counted too">Confidence</dt>
          <dd class={kept.exclusive ? '' : 'warn'}>{confidence(kept, of)}</dd>
        </div>
      </dl>
      <p class="hint">{f.tame(kept.note, 400)}.</p>
      <div class="columns two flat">
        <Lines kept={kept} of={of} />
        <div class="stack">
          <Types kept={kept} of={of} />
          <Holders kept={kept} />
        </div>
      </div>
    </>
  );
}

function confidence(kept: Kept, of: number): string {
  if (kept.exclusive) return of > 1 ? 'each alone in its process' : 'alone in its process';
  return of > 1 ? `${f.whole(kept.shared)} of ${f.whole(of)} not alone` : `${f.plural(kept.overlap, 'other')} ran meanwhile`;
}

function Lines({ kept, of }: { kept: Kept; of: number }) {
  const most = Math.max(...kept.lines.map((line) => Math.abs(line.kb)), 1e-9);
  const columns: Column<Kept['lines'][number]>[] = [
    {
      id: 'line',
      title: 'By line that allocated',
      wide: true,
      cell: (line) => (
        <span class="twoline">
          <PlaceLink place={line} short />
          {line.source && (
            <code class={line.category === 'app' ? '' : 'faint'}>
              <PythonLine text={line.source.trim()} />
            </code>
          )}
        </span>
      ),
    },
    {
      id: 'kb',
      title: 'Kept',
      tip: 'Bytes allocated by this line while it was measured and alive as it ended',
      cell: (line) => (
        <Bar share={Math.abs(line.kb) / most} text={f.kb(line.kb, true)} tone={line.category === 'app' ? 'k-python' : 'k-wait'} />
      ),
    },
    {
      id: 'blocks',
      title: 'Blocks',
      tip: 'Pieces of memory that it is made of',
      right: true,
      cell: (line) => f.whole(line.blocks),
    },
    ...(of > 1
      ? [
          {
            id: 'in',
            title: 'In',
            tip: 'Measured transactions in which it kept any',
            right: true,
            cell: (line: Kept['lines'][number]) => `${line.transactions} of ${of}`,
          },
        ]
      : []),
  ];
  if (!kept.lines.length) return <p class="empty-line">No line kept anything.</p>;
  return (
    <Table
      label="Memory kept by line"
      columns={columns}
      rows={kept.lines.slice(0, FIRST)}
      keyOf={(line) => `${line.file}:${line.line}`}
      height={44}
    />
  );
}

function Types({ kept, of }: { kept: Kept; of: number }) {
  const most = Math.max(...kept.types.map((one) => Math.abs(one.count)), 1);
  const columns: Column<Kept['types'][number]>[] = [
    {
      id: 'type',
      title: 'By type',
      wide: true,
      cell: (one) => (
        <span class="twoline">
          <span class="mono">{f.tame(one.type, 100)}</span>
          {one.where && <PlaceLink place={one.where} short />}
        </span>
      ),
    },
    {
      id: 'count',
      title: 'More than before',
      tip: 'Objects of this type after minus before',
      cell: (one) => (
        <Bar share={Math.abs(one.count) / most} text={`${one.count > 0 ? '+' : ''}${f.whole(one.count)}`} tone="k-cache" />
      ),
    },
    ...(of > 1
      ? [
          {
            id: 'in',
            title: 'In',
            tip: 'Measured transactions in which it grew',
            right: true,
            cell: (one: Kept['types'][number]) => `${one.transactions} of ${of}`,
          },
        ]
      : []),
  ];
  if (!kept.types.length) return <p class="empty-line">No type has more objects than before.</p>;
  return (
    <Table label="Growth by type" columns={columns} rows={kept.types.slice(0, FIRST)} keyOf={(one) => one.type} height={44} />
  );
}

function Holders({ kept }: { kept: Kept }) {
  if (!kept.holders.length) return null;
  return (
    <div class="block holders">
      <h3 data-tip="Objects that refer to what grew, found by the collector">Who holds it</h3>
      <dl>
        {kept.holders.map((one) => (
          <div key={one.type}>
            <dt class="mono">{f.tame(one.type, 100)}</dt>
            <dd>
              {one.held_by.length
                ? one.held_by.map((holder) => (
                    <span key={holder.what} class="chip">
                      <span class="mono">{f.tame(holder.what, 120)}</span> ×{f.whole(holder.count)}
                    </span>
                  ))
                : 'nothing that could be found'}
            </dd>
          </div>
        ))}
      </dl>
    </div>
  );
}
