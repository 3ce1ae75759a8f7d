/** Spans as rows: the tree, its folds, what is open. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Span } from '../src/api/trace.ts';
import { ROOT_ID, firstChoice, rowsOf } from '../src/pages/trace/rows.ts';

const ROOT = { name: 'GET /', durationMs: 100 };
const NONE: ReadonlySet<string> = new Set();

function span(id: number, parent: number | null, start: number, duration: number, repeats: string | null = null): Span {
  return {
    id,
    parent,
    kind: 'db',
    name: `span ${id}`,
    start_ms: start,
    duration_ms: duration,
    self_ms: duration,
    statement: null,
    where: null,
    first_row_ms: null,
    fetch_ms: null,
    first_message_ms: null,
    tags: {},
    repeats,
    open: false,
  };
}

const shape = (spans: Span[], turned = NONE) =>
  rowsOf(spans, ROOT, turned).map(
    (row) => `${row.level}:${row.members.length ? `×${row.members.length}` : (row.span?.id ?? 'root')}`,
  );

test('the transaction is the root, children stand in order of time', () => {
  assert.deepEqual(shape([span(2, 0, 30, 1), span(0, null, 0, 90), span(1, 0, 10, 5)]), ['0:root', '1:0', '2:1', '2:2']);
});

test('siblings that repeat fold where the first of them stands', () => {
  const spans = [span(0, null, 0, 1, 'a'), span(1, null, 2, 1), span(2, null, 4, 1, 'a'), span(3, null, 6, 3, 'a')];
  assert.deepEqual(shape(spans), ['0:root', '1:×3', '1:1']);
  const fold = rowsOf(spans, ROOT, NONE)[1]!;
  assert.deepEqual([fold.startMs, fold.endMs, fold.durationMs, fold.open], [0, 9, 5, false]);
});

test('a repeat under another parent is another fold, one alone is none', () => {
  const spans = [
    span(0, null, 0, 50),
    span(1, null, 50, 50),
    span(2, 0, 1, 1, 'a'),
    span(3, 0, 2, 1, 'a'),
    span(4, 1, 51, 1, 'a'),
  ];
  assert.deepEqual(shape(spans), ['0:root', '1:0', '2:×2', '1:1', '2:4']);
});

test('turned folds open, turned branches close', () => {
  const spans = [span(0, null, 0, 50), span(1, 0, 1, 1, 'a'), span(2, 0, 2, 1, 'a')];
  assert.deepEqual(shape(spans, new Set(['s0/=a'])), ['0:root', '1:0', '2:×2', '3:1', '3:2']);
  assert.deepEqual(shape(spans, new Set(['s0'])), ['0:root', '1:0']);
  assert.deepEqual(shape(spans, new Set([ROOT_ID])), ['0:root']);
});

test('a span whose parent was lost, or is itself, stands at the top', () => {
  assert.deepEqual(shape([span(5, 99, 3, 1), span(6, 6, 4, 1)]), ['0:root', '1:5', '1:6']);
});

test('the costliest repeats are looked at first, else the span with most own time', () => {
  const spans = [
    span(0, null, 0, 90),
    span(1, null, 1, 1, 'a'),
    span(2, null, 2, 1, 'a'),
    span(3, null, 3, 4, 'b'),
    span(4, null, 9, 4, 'b'),
  ];
  assert.equal(firstChoice(rowsOf(spans, ROOT, NONE)), `${ROOT_ID}/=b`);
  assert.equal(firstChoice(rowsOf([span(0, null, 0, 2), span(1, null, 3, 7)], ROOT, NONE)), 's1');
  assert.equal(firstChoice(rowsOf([], ROOT, NONE)), ROOT_ID);
});
