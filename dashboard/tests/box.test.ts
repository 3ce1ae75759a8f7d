/** A box on the heatmap: from any place to whole cells, and from there by keys. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Grid, boxOf, cellsOf, countIn, firstCells, moved, selectionOf } from '../src/draw/box.ts';

/** Four columns of a minute from 600 s on, four rows from 1 to 10,000 ms; the top row is empty. */
const grid: Grid = {
  series: { t: [600, 660, 720, 780], step: 60, p95_ms: [50, 50, 500, null] },
  heatmap: {
    edges_ms: [1, 10, 100, 1000, 10_000],
    counts: [
      [5, 4, 0, 0],
      [5, 3, 0, 0],
      [5, 2, 1, 0],
      [0, 0, 0, 0],
    ],
  },
};

test('a box takes the cells whose middle it holds, and becomes their edges', () => {
  const cells = cellsOf(grid, { from: 640, to: 755, lowMs: 20, highMs: 900 });
  assert.deepEqual(cells, { first: 1, last: 2, low: 1, high: 2 });
  assert.deepEqual(boxOf(grid, cells!), { from: 660, to: 780, lowMs: 10, highMs: 1000 });
  assert.equal(countIn(grid, cells!), 3 + 0 + 2 + 1);
});

test('a box within one cell is that cell; one outside is none', () => {
  assert.deepEqual(selectionOf(grid, { from: 605, to: 610, lowMs: 40, highMs: 60 }), {
    from: 600,
    to: 660,
    lowMs: 10,
    highMs: 100,
    count: 4,
  });
  assert.equal(selectionOf(grid, { from: 0, to: 500, lowMs: 1, highMs: 100 }), null);
  assert.equal(
    selectionOf({ ...grid, heatmap: { edges_ms: [], counts: [] } }, { from: 600, to: 700, lowMs: 1, highMs: 9 }),
    null,
  );
});

test('a box is itself again', () => {
  const box = { from: 660, to: 720, lowMs: 10, highMs: 1000 };
  assert.deepEqual(boxOf(grid, cellsOf(grid, box)!), box);
});

test('keys begin at the newest column that holds calls, at its p95', () => {
  assert.deepEqual(firstCells(grid), { first: 2, last: 2, low: 2, high: 2 });
  assert.equal(firstCells({ ...grid, heatmap: { edges_ms: [], counts: [[], []] } }), null);
});

test('arrows move all of it and stop at the edges; with Shift it grows', () => {
  const cells = { first: 2, last: 3, low: 1, high: 2 };
  assert.deepEqual(moved(grid, cells, 'ArrowRight', false), cells);
  assert.deepEqual(moved(grid, cells, 'ArrowLeft', false), { ...cells, first: 1, last: 2 });
  assert.deepEqual(moved(grid, cells, 'ArrowUp', false), { ...cells, low: 2, high: 3 });
  assert.deepEqual(moved(grid, cells, 'ArrowDown', true), { ...cells, low: 0 });
  assert.deepEqual(moved(grid, cells, 'ArrowLeft', true), { ...cells, first: 1 });
  assert.deepEqual(moved(grid, { ...cells, high: 3 }, 'ArrowUp', true), { ...cells, high: 3 });
});
