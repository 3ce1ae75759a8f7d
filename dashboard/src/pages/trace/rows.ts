/** Spans as the rows of a waterfall: a tree, its repeats folded, its branches open or closed. */
import type { Span } from '../../api/trace.ts';

export interface Row {
  id: string;
  level: number;
  kind: string;
  name: string;
  startMs: number;
  endMs: number;
  /** of a fold: the sum of its members */
  durationMs: number;
  span: Span | null;
  /** the runs that a fold stands for, in order of time */
  members: Span[];
  branches: boolean;
  open: boolean;
}

interface Root {
  name: string;
  durationMs: number;
}

export const ROOT_ID = 'root';

/** Visible rows. Everything is open but folds; `turned` holds the rows that someone opened or closed. */
export function rowsOf(spans: Span[], root: Root, turned: ReadonlySet<string>): Row[] {
  const children = childrenOf(spans);
  const rows: Row[] = [];

  const addSpan = (span: Span, level: number) => {
    const inner = children.get(span.id) ?? [];
    const id = `s${span.id}`;
    const open = inner.length > 0 && !turned.has(id);
    const end = span.start_ms + span.duration_ms;
    rows.push({
      id,
      level,
      kind: span.kind,
      name: span.name,
      startMs: span.start_ms,
      endMs: end,
      durationMs: span.duration_ms,
      span,
      members: [],
      branches: inner.length > 0,
      open,
    });
    if (open) addAll(inner, level + 1, id);
  };
  const addFold = (key: string, members: Span[], level: number, parent: string) => {
    const id = `${parent}/${key}`;
    const open = turned.has(id);
    const first = members[0]!;
    const end = Math.max(...members.map((span) => span.start_ms + span.duration_ms));
    const total = members.reduce((sum, span) => sum + span.duration_ms, 0);
    rows.push({
      id,
      level,
      kind: first.kind,
      name: first.name,
      startMs: first.start_ms,
      endMs: end,
      durationMs: total,
      span: null,
      members,
      branches: true,
      open,
    });
    if (open) for (const span of members) addSpan(span, level + 1);
  };
  const addAll = (all: Span[], level: number, parent: string) => {
    for (const [key, members] of fold(all)) {
      if (members.length > 1) addFold(key, members, level, parent);
      else addSpan(members[0]!, level);
    }
  };

  const top = children.get(null) ?? [];
  const open = !turned.has(ROOT_ID);
  rows.push({
    id: ROOT_ID,
    level: 0,
    kind: 'python',
    name: root.name,
    startMs: 0,
    endMs: root.durationMs,
    durationMs: root.durationMs,
    span: null,
    members: [],
    branches: top.length > 0,
    open,
  });
  if (open) addAll(top, 1, ROOT_ID);
  return rows;
}

/** Siblings that repeat each other as one group, where the first of them stands. */
export function fold(siblings: Span[]): Map<string, Span[]> {
  const groups = new Map<string, Span[]>();
  for (const span of siblings) {
    const key = span.repeats === null ? `#${span.id}` : `=${span.repeats}`;
    const group = groups.get(key);
    if (group) group.push(span);
    else groups.set(key, [span]);
  }
  return groups;
}

/** In order of time; a span whose parent was not kept stands at the top. */
function childrenOf(spans: Span[]): Map<number | null, Span[]> {
  const known = new Set(spans.map((span) => span.id));
  const children = new Map<number | null, Span[]>();
  for (const span of [...spans].sort((a, b) => a.start_ms - b.start_ms || a.id - b.id)) {
    const parent = span.parent !== null && known.has(span.parent) && span.parent !== span.id ? span.parent : null;
    const siblings = children.get(parent);
    if (siblings) siblings.push(span);
    else children.set(parent, [span]);
  }
  return children;
}

/** The row to look at first: the costliest repeats, or else the span with most time of its own. */
export function firstChoice(rows: Row[]): string {
  const folds = rows.filter((row) => row.members.length > 1);
  if (folds.length) return folds.reduce((a, b) => (b.durationMs > a.durationMs ? b : a)).id;
  const spans = rows.filter((row) => row.span);
  return spans.length ? spans.reduce((a, b) => (b.span!.self_ms > a.span!.self_ms ? b : a)).id : ROOT_ID;
}
