/** A key figure: its name, its value, a note and a sparkline. */
import type { ComponentChildren } from 'preact';
import * as f from '../text/format.ts';
import { FORMULAS, type Formula } from '../text/formulas.ts';

export function Kpi({
  label,
  formula,
  value,
  note,
  children,
}: {
  label: string;
  formula: Formula;
  value: ComponentChildren;
  note?: ComponentChildren;
  children?: ComponentChildren;
}) {
  return (
    <div class="kpi">
      <span class="label" data-tip={FORMULAS[formula]}>
        {label}
      </span>
      <span class="value">{value}</span>
      <span class="note">{note}</span>
      {children}
    </div>
  );
}

/** A big figure with a small unit. */
export function Figure({ text }: { text: string }) {
  const [figure, unit] = f.split(text);
  return (
    <>
      {figure}
      {unit && <small>{unit}</small>}
    </>
  );
}
