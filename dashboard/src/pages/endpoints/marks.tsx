/** Two marked endpoints are compared: `x` on a row or a press on its box, and the second mark goes there. */
import { useEffect, useState } from 'preact/hooks';
import type { EndpointRow } from '../../api/types.ts';
import { typing } from '../../frame/keys.ts';
import type { Column } from '../../parts/table.tsx';
import { go, useQuery } from '../../state/query.ts';
import { DEFAULT_RANGE } from '../../state/url.ts';
import * as f from '../../text/format.ts';

export interface Marks {
  marked: EndpointRow | null;
  press: (key: string, row: EndpointRow) => boolean;
  /** the column of names, with a box before each */
  boxed: (names: Column<EndpointRow>) => Column<EndpointRow>;
}

const same = (a: EndpointRow | null, b: EndpointRow): boolean =>
  a !== null && a.name === b.name && a.kind === b.kind && a.service === b.service;

export function useMarks(): Marks {
  const query = useQuery();
  const [marked, set] = useState<EndpointRow | null>(null);
  useEffect(() => {
    if (!marked) return;
    const clear = (event: KeyboardEvent) => {
      if (event.key === 'Escape' && !typing(event)) set(null);
    };
    addEventListener('keydown', clear);
    return () => removeEventListener('keydown', clear);
  }, [marked]);
  const mark = (row: EndpointRow) => {
    if (same(marked, row)) set(null);
    else if (!marked) set(row);
    else go(between(query.get, query.link, marked, row));
  };
  return {
    marked,
    press: (key, row) => {
      if (key !== 'x') return false;
      mark(row);
      return true;
    },
    boxed: (names) => ({
      ...names,
      cell: (row) => (
        <span class="boxed">
          <button
            type="button"
            class="box"
            role="checkbox"
            tabIndex={-1}
            aria-checked={same(marked, row)}
            aria-label={`Mark ${f.tame(row.name, 80)} to compare`}
            data-tip={
              marked && !same(marked, row)
                ? `Compare with ${f.tame(marked.name, 60)}. Key: x`
                : 'Mark two to compare them. Key: x'
            }
            onClick={() => mark(row)}
          >
            <i aria-hidden="true" />
          </button>
          {names.cell(row)}
        </span>
      ),
    }),
  };
}

/** Both over the range of the page. */
function between(
  get: (name: string) => string,
  link: (page: string, parameters: Record<string, string | null>) => string,
  before: EndpointRow,
  after: EndpointRow,
): string {
  const [from, to] = [get('from'), get('to')];
  const range = `range:${from ? `${from}..${to}` : get('range') || DEFAULT_RANGE}`;
  return link('compare', {
    a: range,
    b: range,
    name: before.name,
    kind: before.kind,
    service: before.service,
    b_name: after.name,
    b_kind: after.kind,
    b_service: after.service,
  });
}

export function Marked({ row }: { row: EndpointRow | null }) {
  return (
    <div role="status">
      {row && (
        <p class="selection">
          <b>{f.tame(row.name, 120)}</b> is marked: mark another one to compare both.{' '}
          <span class="muted">
            <kbd>Esc</kbd> takes it away
          </span>
        </p>
      )}
    </div>
  );
}
