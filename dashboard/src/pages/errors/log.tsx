/** The last lines that the newest of these failures logged. */
import type { ErrorAnswer } from '../../api/errors.ts';
import { Panel } from '../../parts/panel.tsx';
import { useQuery } from '../../state/query.ts';
import * as f from '../../text/format.ts';

const TONES: Record<string, string> = { ERROR: 'bad', CRITICAL: 'bad', WARNING: 'warn' };

export function Log({ data: { log, of } }: { data: ErrorAnswer }) {
  const query = useQuery();
  if (!log.length || !of) return null;
  return (
    <Panel
      id="log"
      title="Last log lines"
      sub="of the newest"
      tools={
        <a class="link" href={query.link('trace', { id: of })}>
          All of them in its trace
        </a>
      }
    >
      <div class="scroll" role="group" aria-label="Log lines" tabIndex={0}>
        <table class="log">
          <thead>
            <tr>
              <th scope="col" class="right">
                At
              </th>
              <th scope="col">Level</th>
              <th scope="col">Logger</th>
              <th scope="col" class="wide">
                Text
              </th>
            </tr>
          </thead>
          <tbody>
            {log.map((line, i) => (
              <tr key={i}>
                <td class="right num">{f.ms(line.t_ms)}</td>
                <td>
                  <span class={`flag ${TONES[line.level] ?? ''}`}>{f.tame(line.level, 12)}</span>
                </td>
                <td class="mono soft">{f.tame(line.logger, 60)}</td>
                <td class="wide mono" dir="auto" title={f.tame(line.text, 1000)}>
                  {f.tame(line.text, 300)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}
