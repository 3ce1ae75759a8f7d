/** Small pieces of the tables that compare: what became of a row, and a figure before and after. */
import type { Became } from '../../api/compare.ts';

const WORDS: Record<Became, [tone: string, tip: string]> = {
  appeared: ['warn', 'It is only there after'],
  vanished: ['', 'It is only there before'],
  changed: ['info', 'By more than a tenth'],
  same: ['', 'By less than a tenth'],
};

export function Status({ status }: { status: Became }) {
  const [tone, tip] = WORDS[status];
  return (
    <span class={`chip ${tone}`} data-tip={tip}>
      {status}
    </span>
  );
}

/** Two figures with an arrow; the one before is paler. */
export function Pair({ before, after }: { before: string; after: string }) {
  return (
    <>
      <span class="faint">{before} →</span> {after}
    </>
  );
}
