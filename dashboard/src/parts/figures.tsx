/** Key figures of a page in a row, each with what it means. */
import type { ComponentChildren } from 'preact';
import { Figure } from './kpi.tsx';

export interface KeyFigure {
  label: string;
  tip: string;
  value: string;
  note?: ComponentChildren;
  children?: ComponentChildren;
}

export function Figures({ figures }: { figures: KeyFigure[] }) {
  return (
    <div class="kpis">
      {figures.map(({ label, tip, value, note, children }) => (
        <div key={label} class="kpi">
          <span class="label" data-tip={tip}>
            {label}
          </span>
          <span class="value">
            <Figure text={value} />
          </span>
          <span class="note">{note}</span>
          {children}
        </div>
      ))}
    </div>
  );
}
