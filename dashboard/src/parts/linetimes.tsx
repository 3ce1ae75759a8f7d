/** Lines with their exact hits and times, as they were measured on demand, in their source. */
import type { LineTimings } from '../api/trace.ts';
import * as f from '../text/format.ts';
import { Bar } from './bits.tsx';
import { PlaceLink, PythonLine } from './source.tsx';

/** Half of the time of a function in one line is worth a mark. */
const HOT = 0.5;

export function LineTimes({ functions, of = 1 }: { functions: LineTimings[]; of?: number }) {
  const ran = functions.filter((one) => one.lines.length);
  if (!ran.length) return <p class="empty-line">None of the functions that were timed ran.</p>;
  return (
    <>
      {ran.map((one) => (
        <Timed key={`${one.file}:${one.line}:${one.function}`} one={one} of={of} />
      ))}
    </>
  );
}

function Timed({ one, of }: { one: LineTimings; of: number }) {
  const most = Math.max(...one.lines.map((line) => line.ms), 1e-9);
  const indent = Math.min(...one.lines.filter((line) => line.text?.trim()).map((line) => line.text!.search(/\S/)), 40);
  const hits = Math.max(...one.lines.map((line) => line.hits));
  return (
    <div class="block linetimes">
      <div class="caption">
        <span class="mono own">{f.tame(one.function, 80)}</span>
        <PlaceLink place={one} short />
        <span class="muted num">
          {f.ms(one.total_ms)}
          {of > 1 ? ` in ${f.whole(of)} transactions` : ''}, its busiest line ran {f.whole(hits)} times
        </span>
      </div>
      <div class="scroll" role="group" tabIndex={0} aria-label={`Lines of ${f.tame(one.function, 80)} with their times`}>
        <table class="lines">
          <thead>
            <tr>
              <th scope="col" class="right">
                <span data-tip="How often the line ran, exactly">Hits</span>
              </th>
              <th scope="col">
                <span data-tip="Time in the line with all that it called; inflated by the measuring, by about 0.1 µs a hit">
                  Time
                </span>
              </th>
              <th scope="col" class="right">
                <span data-tip="Time ÷ hits">Each</span>
              </th>
              <th scope="col" class="right">
                <span data-tip="Time of this line ÷ time of all lines of the function">Share</span>
              </th>
              <th scope="col" class="right">
                Line
              </th>
              <th scope="col" class="wide">
                Source
              </th>
            </tr>
          </thead>
          <tbody>
            {one.lines.map((line) => (
              <tr key={line.number} class={line.ms / (one.total_ms || 1) > HOT ? 'hot' : line.hits ? '' : 'unrun'}>
                <td class="right">{line.hits > 0 && f.whole(line.hits)}</td>
                <td>{line.hits > 0 && <Bar share={line.ms / most} text={f.ms(line.ms)} />}</td>
                <td class="right">{line.hits > 0 && f.ms(line.ms / line.hits)}</td>
                <td class="right">{line.hits > 0 && f.percent(one.total_ms ? line.ms / one.total_ms : 0, 0)}</td>
                <td class="right faint">{line.number}</td>
                <td class="wide code">
                  {line.text === null ? (
                    <span class="faint">its source cannot be shown, or has changed since</span>
                  ) : (
                    <PythonLine text={line.text.slice(indent)} />
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}
