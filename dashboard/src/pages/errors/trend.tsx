/** When these failures happened. */
import type { ErrorAnswer } from '../../api/errors.ts';
import { Bars } from '../../draw/bars.tsx';
import { Panel } from '../../parts/panel.tsx';
import * as f from '../../text/format.ts';

export function Trend({ data: { series, window } }: { data: ErrorAnswer }) {
  return (
    <Panel id="trend" title="Over time" sub={`failures each ${f.lasted(series.step)}`}>
      <Bars t={series.t} step={series.step} counts={series.count} from={window.from} to={window.to} noun="failure" />
    </Panel>
  );
}
