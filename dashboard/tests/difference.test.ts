/** Two profiles in one flame graph, two histograms on one axis, and functions by change. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changeOf, differenceTree, strength } from '../src/draw/difference.ts';
import { together } from '../src/draw/bins.ts';
import { withoutPlumbing } from '../src/draw/trees.ts';

const DIFFERENCE = {
  frames: { function: ['view', 'price'], file: ['app/shop.py', 'app/shop.py'], line: [7, 21], category: ['app', 'app'] },
  nodes: {
    parent: [-1, 0, 1],
    frame: [-1, 0, 1],
    before_ns: [12e6, 12e6, 10e6],
    after_ns: [40e6, 40e6, 30e6],
    before_own_ns: [0, 2e6, 10e6],
    after_own_ns: [0, 10e6, 30e6],
  },
};

test('it is as wide as time is after, and remembers what was', () => {
  const tree = differenceTree(DIFFERENCE, 'own');
  assert.deepEqual(tree.label, ['all samples', 'view', 'price']);
  assert.deepEqual(tree.total, [40, 40, 30]);
  assert.deepEqual(tree.was?.total, [12, 12, 10]);
});

test('by own time a caller changes by its own alone, in total by all below it', () => {
  const own = differenceTree(DIFFERENCE, 'own');
  const total = differenceTree(DIFFERENCE, 'total');
  assert.deepEqual(
    [0, 1, 2].map((i) => changeOf(own, i)),
    [0, 0.2, 0.5],
  );
  assert.deepEqual(
    [0, 1, 2].map((i) => changeOf(total, i)),
    [0.7, 0.7, 0.5],
  );
});

test('a larger change is a stronger colour, and none is none', () => {
  assert.equal(strength(0), 0);
  assert.ok(strength(0.01) < strength(-0.1));
  assert.equal(strength(-2), 1);
});

test('hiding the plumbing keeps both sides of what is left', () => {
  const lib = {
    ...DIFFERENCE,
    frames: { ...DIFFERENCE.frames, category: ['lib', 'app'] },
    nodes: { ...DIFFERENCE.nodes, after_own_ns: [0, 0, 30e6] },
  };
  const { tree, hidden } = withoutPlumbing(differenceTree(lib, 'own'));
  assert.equal(hidden, 1);
  assert.deepEqual(tree.was, { total: [12, 10], own: [0, 10], by: 'own' });
});

test('both histograms stand in the same bars and lose no call', () => {
  const edges_ms = Array.from({ length: 101 }, (_, i) => 2 ** (i / 10));
  const before = edges_ms.slice(1).map((_, i) => (i > 20 && i < 50 ? i : 0));
  const after = edges_ms.slice(1).map((_, i) => (i > 40 && i < 90 ? 2 : 0));
  const all = together({ edges_ms, before, after });
  assert.ok(all.length <= 44);
  const sum = (counts: number[]) => counts.reduce((total, count) => total + count, 0);
  assert.equal(sum(all.map((bin) => bin.before)), sum(before));
  assert.equal(sum(all.map((bin) => bin.after)), sum(after));
  assert.ok(all.every((bin, i) => i === 0 || bin.low === all[i - 1]!.high));
});
