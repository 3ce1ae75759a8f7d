/** Code as panes show it: a place that can be copied, lines of Python with the hot one marked, a statement. */
import { useState } from 'preact/hooks';
import type { Place, SourceBlock } from '../api/types.ts';
import * as f from '../text/format.ts';
import { tokens as python } from '../text/python.ts';
import { tokens as sql } from '../text/sql.ts';

/** What the API names as a place: an object, or its `file:line` already written out. */
export function placeText(place: Place | string | null | undefined): string {
  if (!place) return '';
  return typeof place === 'string' ? f.tame(place, 200) : `${f.tame(place.file, 200)}:${place.line}`;
}

/** `file:line`, copied with one press. */
export function PlaceLink({ place, short = false }: { place: Place | string; short?: boolean }) {
  const [copied, set] = useState(false);
  const text = placeText(place);
  const copy = async () => {
    await copyText(text);
    set(true);
    setTimeout(() => set(false), 1500);
  };
  return (
    <button type="button" class="place" onClick={copy} data-tip={short ? `${text} (press to copy)` : 'Press to copy'}>
      <span dir="ltr">{short ? f.shortPath(text) : text}</span>
      <span role="status" class="copied">
        {copied ? 'copied' : ''}
      </span>
    </button>
  );
}

/** The clipboard needs a secure page; a field that is selected and copied does not. */
export async function copyText(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = document.createElement('textarea');
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand('copy');
    field.remove();
  }
}

export function PythonLine({ text }: { text: string }) {
  return (
    <>
      {python(f.tame(text, 400)).map((token, i) =>
        token.kind === 'word' ? (
          token.text
        ) : (
          <span key={i} class={`t-${token.kind}`}>
            {token.text}
          </span>
        ),
      )}
    </>
  );
}

/** Lines around `line`, or the whole block, with the time each of them took. */
export function Source({
  block,
  line,
  around = 4,
  times = false,
  unit = 0,
}: {
  block: SourceBlock;
  line?: number;
  around?: number;
  times?: boolean;
  unit?: number;
}) {
  const lines = line === undefined ? block.lines : block.lines.filter((l) => Math.abs(l.number - line) <= around);
  const indent = Math.min(...lines.filter((l) => l.text.trim()).map((l) => l.text.search(/\S/)), 40);
  const hottest = unit || Math.max(...block.lines.map((l) => l.total_ms), 1e-9);
  return (
    <pre
      class="source"
      role="group"
      tabIndex={0}
      aria-label={`${block.file}, lines ${lines[0]?.number ?? 0} to ${lines.at(-1)?.number ?? 0}`}
    >
      {lines.map((l) => {
        const heat = l.total_ms / hottest;
        return (
          <span key={l.number} class={`line ${l.number === line || (line === undefined && heat > 0.5) ? 'hot' : ''}`}>
            {times && (
              <span class="cost">
                <i style={{ width: `${100 * Math.min(1, heat)}%` }} />
                <span>{l.total_ms > 0 ? f.ms(l.total_ms) : ''}</span>
              </span>
            )}
            <span class="no">{l.number}</span>
            <PythonLine text={l.text.slice(indent)} />
            {'\n'}
          </span>
        );
      })}
    </pre>
  );
}

export function Sql({ text, label = 'Statement' }: { text: string; label?: string }) {
  return (
    <pre class="sql" role="group" tabIndex={0} aria-label={label}>
      {sql(f.tame(text, 6000)).map((token, i) =>
        token.kind === 'keyword' || token.kind === 'string' ? (
          <span key={i} class={`t-${token.kind}`}>
            {token.text}
          </span>
        ) : (
          token.text
        ),
      )}
    </pre>
  );
}

/** The block that holds a place, if the API sent it. */
export function blockAt(blocks: SourceBlock[], place: Place | null | undefined): SourceBlock | undefined {
  return place
    ? blocks.find((block) => block.file === place.file && block.lines.some((line) => line.number === place.line))
    : undefined;
}
