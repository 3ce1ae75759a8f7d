/** The stack an exception was raised in: your own code open in its source, what libraries did between folded. */
import { useState } from 'preact/hooks';
import type { ErrorAnswer, StackFrame } from '../../api/errors.ts';
import { Panel } from '../../parts/panel.tsx';
import { PlaceLink, PythonLine, Source } from '../../parts/source.tsx';
import { useQuery } from '../../state/query.ts';
import * as f from '../../text/format.ts';

/** Own frames, and runs of others between them, as [first, past the last]. */
export function runs(stack: { category: string }[]): [number, number][] {
  const found: [number, number][] = [];
  stack.forEach((frame, i) => {
    const last = found.at(-1);
    const joins = last && frame.category !== 'app' && stack[last[0]]!.category !== 'app';
    if (joins) last[1] = i + 1;
    else found.push([i, i + 1]);
  });
  return found;
}

export function Stack({ data: { stack, of, error } }: { data: ErrorAnswer }) {
  const query = useQuery();
  return (
    <Panel
      id="stack"
      title="Stack"
      sub={stack.length ? 'of the newest, the innermost call last' : ''}
      tools={
        of && (
          <a class="link" href={query.link('trace', { id: of })}>
            Open its trace
          </a>
        )
      }
    >
      {stack.length ? (
        <ol class="callstack">
          {runs(stack).map(([first, end]) =>
            stack[first]!.category === 'app' || end - first === 1 ? (
              <Frame key={first} frame={stack[first]!} last={end === stack.length} />
            ) : (
              <Others key={first} frames={stack.slice(first, end)} />
            ),
          )}
        </ol>
      ) : (
        <p class="empty-line">
          {error.type.startsWith('HTTP ')
            ? 'No exception reached the agent: the answer alone says that it failed. A handler that answers 5xx can tell it with apm_agent.capture_exception(error).'
            : 'No stack is kept of these failures: their details made room for others, or an older agent wrote them.'}
        </p>
      )}
    </Panel>
  );
}

function Frame({ frame, last = false }: { frame: StackFrame; last?: boolean }) {
  const own = frame.category === 'app';
  return (
    <li class={own ? 'ownframe' : ''}>
      <div class="caption">
        <span class={`mono ${own ? 'own' : 'soft'}`}>{f.tame(frame.function, 120)}</span>
        <PlaceLink place={{ file: frame.file, line: frame.line, function: frame.function }} short />
        {last && <span class="flag bad">raised</span>}
      </div>
      {frame.lines.length > 0 ? (
        <Source
          block={{
            file: frame.file,
            function: frame.function,
            edited: false,
            lines: frame.lines.map((line) => ({ ...line, own_ms: 0, total_ms: 0 })),
          }}
          line={frame.line}
        />
      ) : (
        own && (
          <p class="faint">
            {frame.changed
              ? 'The file has changed since: its lines are no longer what ran.'
              : 'Its source cannot be read from here.'}
          </p>
        )
      )}
      {!frame.lines.length && frame.source && (
        <code class="sourceline">
          <PythonLine text={frame.source} />
        </code>
      )}
    </li>
  );
}

function Others({ frames }: { frames: StackFrame[] }) {
  const [open, show] = useState(false);
  const packages = [...new Set(frames.map((frame) => frame.file.split('/')[0]!))].slice(0, 3);
  return (
    <li>
      <button type="button" class="quiet fold" aria-expanded={open} onClick={() => show(!open)}>
        {open ? 'Hide' : 'Show'} {f.plural(frames.length, 'call')} in {f.tame(packages.join(', '), 80)}
      </button>
      {open && (
        <ol class="callstack">
          {frames.map((frame, i) => (
            <Frame key={i} frame={frame} />
          ))}
        </ol>
      )}
    </li>
  );
}
