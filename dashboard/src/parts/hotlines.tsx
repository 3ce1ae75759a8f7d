/** Lines by own time, your own code set in bold. */
import type { HotLine } from '../api/types.ts';
import * as f from '../text/format.ts';
import { Bar } from './bits.tsx';
import { Changed, PlaceLink, PythonLine } from './source.tsx';
import { type Column, Table } from './table.tsx';

export function HotLines({ lines, rows = 20 }: { lines: HotLine[]; rows?: number }) {
  const most = Math.max(...lines.map((line) => line.total_ms), 1e-9);
  const columns: Column<HotLine>[] = [
    { id: 'line', title: 'Line', wide: true, cell: (line) => <Line line={line} /> },
    {
      id: 'own',
      title: 'Own time',
      formula: 'own',
      cell: (line) => (
        <Bar
          share={line.own_ms / most}
          within={line.total_ms / most}
          text={f.ms(line.own_ms)}
          tone={line.category === 'app' ? 'k-python' : 'k-wait'}
        />
      ),
    },
    { id: 'share', title: 'Share', tip: 'Own time ÷ time of all samples', right: true, cell: (line) => f.percent(line.share) },
    ...(lines.some((line) => line.cpu_ms != null)
      ? [{ id: 'cpu', title: 'CPU', tip: 'Processor time of it', right: true, cell: (line: HotLine) => f.ms(line.cpu_ms) }]
      : []),
    { id: 'total', title: 'Total', formula: 'total', right: true, cell: (line) => f.ms(line.total_ms) },
  ];
  return (
    <Table
      label="Hot lines"
      columns={columns}
      rows={lines.slice(0, rows)}
      keyOf={(line) => `${line.file}:${line.line}:${line.function}`}
      height={40}
    />
  );
}

function Line({ line }: { line: HotLine }) {
  return (
    <span class="twoline" title={`${f.tame(line.file)}:${line.line}`}>
      <span class="mono">
        <span class={line.category === 'app' ? 'own' : ''}>{f.tame(line.function, 80)}</span>{' '}
        {line.category === 'app' ? (
          <PlaceLink place={line} short />
        ) : (
          <span class="faint">{`${f.shortPath(line.file)}:${line.line}`}</span>
        )}
      </span>
      {line.source && !line.changed && (
        <code class="faint">
          <PythonLine text={line.source.trim()} />
        </code>
      )}
      <Changed place={line} />
    </span>
  );
}
