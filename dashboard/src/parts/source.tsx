/** Code as panes show it: a place that can be copied, lines of Python with the hot one marked, a statement. */
import { useEffect } from 'preact/hooks';
import type { ComponentChildren } from 'preact';
import type { Place, SourceBlock } from '../api/types.ts';
import * as f from '../text/format.ts';
import { tokens as python } from '../text/python.ts';
import { tokens as sql } from '../text/sql.ts';
import { Acts } from './blame.tsx';
import { announce, copyText, startCopyKey } from './copy.ts';

/** What the API names as a place: an object, or its `file:line` already written out. */
export function placeText(place: Place | string | null | undefined): string {
  if (!place) return '';
  return typeof place === 'string' ? f.tame(place, 200) : `${f.tame(place.file, 200)}:${place.line}`;
}

export { copyText } from './copy.ts';

/** A place that is already written out, in its parts; null where it is not one. */
function partsOf(place: Place | string): Place | null {
  if (typeof place !== 'string') return place;
  const found = /^(.+):(\d+)$/s.exec(place);
  return found ? { file: found[1]!, line: Number(found[2]) } : null;
}

/** `file:line`, copied with one press or the key `y`, with what else can be done with the line. */
export function PlaceLink({ place, short = false }: { place: Place | string; short?: boolean }) {
  useEffect(startCopyKey, []);
  const text = placeText(place);
  const parts = partsOf(place);
  const copy = () => copyText(text).then(() => announce(`Copied ${text}`));
  return (
    <span class="placed" data-place={text}>
      <button type="button" class="place" onClick={copy} data-tip={short ? `${text} (press to copy, or key y)` : 'Press to copy, or key y'}>
        <span dir="ltr">{short ? f.shortPath(text) : text}</span>
      </button>
      {parts && <Acts place={parts} />}
    </span>
  );
}

/** Why a line's text is missing, where that can be told. */
export function Changed({ place }: { place: Place | null | undefined }) {
  return place?.changed ? <span class="faint stale-line">the file has changed since</span> : null;
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

/** A function of your own code: its name, its hottest line as a place, its text with the time of each line. */
export function Block({ block, tools, children }: { block: SourceBlock; tools?: ComponentChildren; children?: ComponentChildren }) {
  const hottest = block.lines.reduce((most, line) => (line.total_ms > most.total_ms ? line : most), block.lines[0]!);
  return (
    <div class="block">
      <div class="caption">
        <span class="mono">{f.tame(block.function, 80)}</span>
        <PlaceLink place={{ file: block.file, line: hottest.number }} short />
        {tools}
        {block.edited && (
          <span class="edited">The file was edited in this range: times of before may stand beside other lines.</span>
        )}
      </div>
      {children ?? <Source block={block} times />}
    </div>
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
