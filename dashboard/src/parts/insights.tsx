/** Causes that were found, each with its line and its fix. */
import type { ComponentChildren } from 'preact';
import type { Insight } from '../api/types.ts';
import * as f from '../text/format.ts';
import { Icon } from './icon.tsx';
import { Changed, PlaceLink, PythonLine } from './source.tsx';

const ICONS: [RegExp, string][] = [
  [/repeat|n\+1/, 'repeat'],
  [/memory|rss|alloc/, 'memory'],
  [/error|fail|raise/, 'error'],
  [/block|wait|lock|pool|queue|speed|regression/, 'clock'],
  [/query|sql|statement|db|cache|result/, 'database'],
  [/calls/, 'split'],
  [/gc|pause/, 'memory'],
  [/cpu|code|line|slow/, 'code'],
];
export const causeIcon = (kind: string): string => ICONS.find(([pattern]) => pattern.test(kind))?.[1] ?? 'info';
export const TONES = { bad: 'bad', warn: 'warn', info: 'soft' };
export const WORDS = { bad: 'Serious', warn: 'Worth a look', info: 'For information' };

export function Insights({
  insights,
  level = 3,
  foot,
}: {
  insights: Insight[];
  level?: 2 | 3;
  foot?: (insight: Insight) => ComponentChildren;
}) {
  const Heading = `h${level}` as 'h2' | 'h3';
  return (
    <ul class="insights">
      {insights.map((insight, i) => (
        <li key={i}>
          <Icon name={causeIcon(insight.kind)} tone={TONES[insight.severity]} />
          <div>
            <Heading>
              <span class="sr-only">{WORDS[insight.severity]}: </span>
              {f.tame(insight.title, 200)}
            </Heading>
            <p>{f.tame(insight.why, 600)}</p>
            {insight.where && <PlaceLink place={insight.where} />}
            {insight.where?.source && (
              <code class="sourceline">
                <PythonLine text={insight.where.source.trim()} />
              </code>
            )}
            <Changed place={insight.where} />
            {insight.fix && <Fix text={insight.fix} before={insights.findIndex((one) => one.fix === insight.fix) < i} />}
            {foot?.(insight)}
          </div>
        </li>
      ))}
    </ul>
  );
}

/** Advice is said once: a list of ten causes of one kind would be nothing but advice. */
const Fix = ({ text, before }: { text: string; before: boolean }) =>
  before ? (
    <p class="muted">Fix: as above.</p>
  ) : (
    <p class="fix">
      <span class="muted">Fix:</span> {f.tame(text, 400)}
    </p>
  );
