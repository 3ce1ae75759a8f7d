/** Axes, histograms and the part of a list that is in view. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decades, logPosition, logTicks, niceStep, occupied, ticks } from '../src/draw/scale.ts';
import { slice } from '../src/parts/virtual.ts';

test('steps are 1, 2 or 5 of a power of ten', () => {
  assert.deepEqual([niceStep(1584, 8), niceStep(90, 8), niceStep(0.7, 8)], [200, 20, 0.1]);
  assert.deepEqual(ticks(1000, 5), [0, 200, 400, 600, 800, 1000]);
  assert.deepEqual(ticks(0, 5), [0]);
});

test('a logarithmic axis keeps what is outside at its ends', () => {
  assert.equal(logPosition(100, 10, 1000), 0.5);
  assert.deepEqual([logPosition(0, 10, 1000), logPosition(5, 10, 1000), logPosition(1e9, 10, 1000)], [0, 0, 1]);
  assert.deepEqual(logTicks(3, 150), [5, 10, 20, 50, 100]);
  assert.deepEqual(logTicks(1, 1000), [1, 10, 100, 1000]);
  assert.deepEqual(decades(3, 20_000), [10, 100, 1000, 10_000]);
});

test('a histogram is shown where it holds something', () => {
  assert.deepEqual(occupied([0, 0, 0, 5, 0, 2, 0, 0]), [2, 6]);
  assert.deepEqual(occupied([0, 0]), [0, 1]);
});

test('a short list is drawn whole, a long one in part, its height kept', () => {
  assert.deepEqual(slice(500, 50, 9000, 9900), { first: 0, last: 500, above: 0, below: 0 });
  const part = slice(10_000, 50, 100_000, 100_900);
  assert.ok(part.last - part.first < 60);
  assert.equal(part.above + part.below + (part.last - part.first) * 50, 500_000);
  assert.equal(slice(10_000, 50, -400, 500).first, 0);
  assert.equal(slice(10_000, 50, 499_900, 501_000).last, 10_000);
});
