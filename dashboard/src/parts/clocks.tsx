/** The clock a flame graph is drawn by: time that passed, or processor time. */
import type { Clock } from '../api/profile.ts';
import { Segments } from './panel.tsx';

export const Clocks = ({ clock, choose }: { clock: Clock; choose: (clock: Clock) => void }) => (
  <Segments
    label="Clock"
    options={[
      { id: 'wall', title: 'Wall', tip: 'Time that passed' },
      { id: 'cpu', title: 'CPU', tip: 'Processor time alone' },
    ]}
    current={clock}
    select={choose}
  />
);
