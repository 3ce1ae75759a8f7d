/** The functions a trace spent its time in, in their source with the time of each line, or as the bytecode of it. */
import { useState } from 'preact/hooks';
import { useAnswer } from '../../api/use.ts';
import type { BytecodeAnswer, TraceAnswer } from '../../api/trace.ts';
import type { SourceBlock } from '../../api/types.ts';
import { Panel } from '../../parts/panel.tsx';
import { Block, Source } from '../../parts/source.tsx';
import * as f from '../../text/format.ts';

export function Sources({ data }: { data: TraceAnswer }) {
  if (!data.source.length) return <Unshown data={data} />;
  return (
    <Panel id="source" title="Source" sub="total time beside each line, by samples">
      {data.source.map((block) => (
        <Function key={`${block.file} ${block.function}`} block={block} id={data.trace.id} />
      ))}
    </Panel>
  );
}

/** No function can be shown; where that is because its file is not what ran any more, it is said. */
function Unshown({ data }: { data: TraceAnswer }) {
  const places = [...data.insights, ...data.spans].map(({ where }) => where);
  const changed = [...new Set(places.flatMap((where) => (where?.changed ? [where.file] : [])))];
  if (!changed.length) return null;
  return (
    <Panel id="source" title="Source">
      <p class="empty-line">
        {changed.slice(0, 5).map((file) => f.shortPath(file)).join(', ')} changed since this ran, so no line of it is shown.
      </p>
    </Panel>
  );
}

function Function({ block, id }: { block: SourceBlock; id: string }) {
  const [bytecode, show] = useState(false);
  const tools = (
    <button type="button" class="button" aria-pressed={bytecode} onClick={() => show(!bytecode)}>
      Bytecode
    </button>
  );
  return (
    <Block block={block} tools={tools}>
      {bytecode ? <Bytecode block={block} id={id} /> : <Source block={block} times />}
    </Block>
  );
}

function Bytecode({ block, id }: { block: SourceBlock; id: string }) {
  const { data, error } = useAnswer<BytecodeAnswer>('bytecode', { id, file: block.file, function: block.function }, { still: true });
  if (error) return <p class="empty-line">{error.message}</p>;
  if (!data) return <p class="empty-line">Compiling…</p>;
  if (!data.lines.length) return <p class="empty-line">Its source cannot be read from here, or is no longer what ran.</p>;
  const times = new Map(block.lines.map((line) => [line.number, line.total_ms]));
  const hottest = Math.max(...block.lines.map((line) => line.total_ms), 1e-9);
  const told = new Set<number>();
  return (
    <>
      <pre class="source" role="group" tabIndex={0} aria-label={`Bytecode of ${block.function}`}>
        {data.lines.map(({ line, instructions }, i) => {
          // A line that comes again, as that of a loop, has its time only once.
          const ms = told.has(line) ? 0 : (times.get(line) ?? 0);
          told.add(line);
          return instructions.map(([offset, name, argument], j) => (
            <span key={`${i} ${j}`} class={`line ${j === 0 && ms / hottest > 0.5 ? 'hot' : ''}`}>
              <span class="cost">
                <i style={{ width: `${j ? 0 : (100 * ms) / hottest}%` }} />
                <span>{j === 0 && ms > 0 ? f.ms(ms) : ''}</span>
              </span>
              <span class="no">{j ? '' : line}</span>
              {`${String(offset).padStart(5)} ${name.padEnd(24)} ${f.tame(argument, 120)}\n`}
            </span>
          ));
        })}
      </pre>
      <p class="muted">
        Compiled by Python {data.python}
        {data.ran_on && data.ran_on !== data.python ? `; it ran on ${f.tame(data.ran_on, 20)}, whose bytecode may differ` : ''}.
        Times are by line: a sample keeps its line, not its instruction.
      </p>
    </>
  );
}
