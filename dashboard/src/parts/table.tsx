/** A table of rows that open something: sorted by its headers, walked with arrows or j and k, long ones drawn in part. */
import type { ComponentChildren } from 'preact';
import { useRef } from 'preact/hooks';
import { go } from '../state/query.ts';
import { FORMULAS, type Formula } from '../text/formulas.ts';
import { useSlice } from './virtual.ts';

export interface Column<Row> {
  id: string;
  title: string;
  cell: (row: Row) => ComponentChildren;
  right?: boolean;
  /** takes the space that is left and cuts its text */
  wide?: boolean;
  formula?: Formula;
  tip?: string;
  /** what rows are ordered by; a column without it cannot be sorted */
  value?: (row: Row) => number | string | null;
  /** names are read upwards, figures downwards */
  ascending?: boolean;
}

export interface Order {
  column: string;
  descending: boolean;
}

interface Props<Row> {
  label: string;
  columns: Column<Row>[];
  rows: Row[];
  keyOf: (row: Row) => string;
  height?: number;
  hrefOf?: (row: Row) => string;
  order?: Order | null;
  sort?: (order: Order) => void;
  /** a key of its own on a row; true where it is one */
  press?: (key: string, row: Row) => boolean;
}

export function Table<Row>({ label, columns, rows, keyOf, height = 38, hrefOf, order, sort, press }: Props<Row>) {
  const { host, slice, reveal } = useSlice(rows.length, height);
  const body = useRef<HTMLTableSectionElement | null>(null);
  const current = useRef(0);
  const cellsOf = useCells(columns, rows.slice(slice.first, slice.last));
  const focus = (index: number) => {
    const at = Math.max(0, Math.min(rows.length - 1, index));
    reveal(at);
    requestAnimationFrame(() => body.current?.querySelector<HTMLElement>(`[data-row="${at}"]`)?.focus());
  };
  const keys = (event: KeyboardEvent) => {
    const from = (event.target as HTMLElement).closest<HTMLElement>('[data-row]');
    if (!from || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = Number(from.dataset['row']);
    if (event.key === 'ArrowDown' || event.key === 'j') focus(at + 1);
    else if (event.key === 'ArrowUp' || event.key === 'k') focus(at - 1);
    else if (event.key === 'Home') focus(0);
    else if (event.key === 'End') focus(rows.length - 1);
    else if (event.key === 'Enter' && event.target === from && hrefOf) go(hrefOf(rows[at]!));
    else if (!press?.(event.key, rows[at]!)) return;
    event.preventDefault();
    event.stopPropagation();
  };
  const open = (event: MouseEvent, row: Row) => {
    if (!hrefOf || event.button || (event.target as Element).closest('a, button') || getSelection()?.toString()) return;
    if (event.metaKey || event.ctrlKey) window.open(hrefOf(row), '_blank', 'noopener');
    else go(hrefOf(row));
  };
  return (
    <div class="scroll" role="group" aria-label={label} tabIndex={0}>
      <table aria-rowcount={rows.length + 1} class={hrefOf ? 'opens' : ''} style={{ '--row': `${height}px` }}>
        <thead>
          <tr>
            {columns.map((column) => (
              <Header key={column.id} column={column} order={order ?? null} sort={sort} />
            ))}
          </tr>
        </thead>
        <tbody
          ref={(element) => {
            body.current = element;
            host.current = element;
          }}
          onKeyDown={keys}
        >
          {slice.above > 0 && (
            <tr class="gap" aria-hidden="true">
              <td colSpan={columns.length} style={{ height: `${slice.above}px` }} />
            </tr>
          )}
          {rows.slice(slice.first, slice.last).map((row, i) => {
            const index = slice.first + i;
            return (
              <tr
                key={keyOf(row)}
                data-row={index}
                aria-rowindex={index + 2}
                tabIndex={hrefOf ? (index === current.current ? 0 : -1) : undefined}
                onFocus={() => {
                  current.current = index;
                }}
                onClick={(event) => open(event, row)}
              >
                {cellsOf(row)}
              </tr>
            );
          })}
          {slice.below > 0 && (
            <tr class="gap" aria-hidden="true">
              <td colSpan={columns.length} style={{ height: `${slice.below}px` }} />
            </tr>
          )}
        </tbody>
      </table>
    </div>
  );
}

/** The cells of the rows in view; those of a row that stays in view while one scrolls are not made and compared anew. */
function useCells<Row>(columns: Column<Row>[], shown: Row[]): (row: Row) => ComponentChildren {
  const known = useRef<{ columns: Column<Row>[]; cells: Map<Row, ComponentChildren> }>({ columns, cells: new Map() });
  const before = known.current.columns === columns ? known.current.cells : new Map<Row, ComponentChildren>();
  const cells = new Map(shown.map((row) => [row, before.get(row) ?? columns.map((column) => cellOf(column, row))]));
  known.current = { columns, cells };
  return (row) => cells.get(row);
}

const cellOf = <Row,>(column: Column<Row>, row: Row) => (
  <td key={column.id} class={`${column.right ? 'right' : ''} ${column.wide ? 'wide' : ''}`}>
    {column.cell(row)}
  </td>
);

function Header<Row>({
  column,
  order,
  sort,
}: {
  column: Column<Row>;
  order: Order | null;
  sort: ((order: Order) => void) | undefined;
}) {
  const tip = column.formula ? FORMULAS[column.formula] : column.tip;
  const sorted = order?.column === column.id ? order : null;
  const classes = `${column.right ? 'right' : ''} ${column.wide ? 'wide' : ''}`;
  if (!sort || !column.value)
    return (
      <th scope="col" class={classes}>
        <span data-tip={tip}>{column.title}</span>
      </th>
    );
  const next = { column: column.id, descending: sorted ? !sorted.descending : !column.ascending };
  return (
    <th scope="col" class={classes} aria-sort={sorted ? (sorted.descending ? 'descending' : 'ascending') : undefined}>
      <button type="button" data-tip={tip} onClick={() => sort(next)}>
        {column.title}
        {sorted && <span aria-hidden="true">{sorted.descending ? ' ↓' : ' ↑'}</span>}
      </button>
    </th>
  );
}

/** Rows by a column; a figure that is not known goes last, whichever way. */
export function sorted<Row>(rows: Row[], columns: Column<Row>[], order: Order): Row[] {
  const value = columns.find((column) => column.id === order.column)?.value;
  if (!value) return rows;
  const sign = order.descending ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === null || y === null) return x === y ? 0 : x === null ? 1 : -1;
    return sign * (typeof x === 'string' ? x.localeCompare(String(y)) : x - Number(y));
  });
}
