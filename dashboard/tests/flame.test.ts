/** Trees and where their frames stand. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Sample } from '../src/api/trace.ts';
import type { Frame } from '../src/api/types.ts';
import { boxes, layout, lowest, matchedShare } from '../src/draw/flame-layout.ts';
import { hotLines, laneBoxes, plumbingDepth, profileTree, sampleTree, withoutPlumbing } from '../src/draw/trees.ts';

const FRAMES: Frame[] = ['main', 'view', 'query', 'render'].map((name, i) => ({
  function: name,
  file: `app/${name}.py`,
  line: i + 1,
  category: i === 3 ? 'lib' : 'app',
}));
const sample = (t_ms: number, stack: number[], weight_ms = 10, state: Sample['state'] = 'running'): Sample => ({
  t_ms,
  weight_ms,
  stack,
  state,
});
const SAMPLES = [sample(10, [0, 1, 2]), sample(20, [0, 1, 2]), sample(30, [0, 1, 3]), sample(40, [0, 1])];

test('samples merge by stack: weights add up along each path', () => {
  const tree = sampleTree(FRAMES, SAMPLES);
  assert.deepEqual(tree.label, ['all samples', 'main', 'view', 'query', 'render']);
  assert.deepEqual(tree.total, [40, 40, 40, 20, 10]);
  assert.deepEqual(tree.own, [0, 0, 10, 20, 10]);
});

test('own time adds up to all time', () => {
  const tree = sampleTree(FRAMES, SAMPLES);
  assert.equal(
    tree.own.reduce((sum, own) => sum + own, 0),
    tree.total[0],
  );
});

test("the API's columns become the same tree, in milliseconds", () => {
  const tree = profileTree({
    frames: { function: ['main'], file: ['/srv/a/b/main.py'], line: [7], category: ['app'] },
    nodes: { parent: [-1, 0], frame: [-1, 0], total_ns: [5e6, 5e6], own_ns: [0, 5e6] },
    total_ns: 5e6,
    count: 1,
    transactions: 1,
    pruned_ns: 0,
    clock: 'wall',
    unclocked_ns: 0,
  });
  assert.deepEqual(tree.label, ['all samples', 'main']);
  assert.deepEqual([tree.place[1], tree.total[1]], ['a/b/main.py:7', 5]);
});

test('children stand widest first inside their parent', () => {
  const laid = layout(sampleTree(FRAMES, SAMPLES));
  assert.deepEqual([...laid.x], [0, 0, 0, 0, 20]);
  assert.deepEqual([...laid.depth], [0, 1, 2, 3, 3]);
  for (const box of boxes(laid, 0, 400, 10)) assert.ok(box.x >= 0 && box.x + box.width <= 400);
});

test('a tower too thin to see does not make the graph taller', () => {
  const thin = sample(50, [0, 1, 2, 2, 2, 2], 0.01);
  const laid = layout(sampleTree(FRAMES, [...SAMPLES, thin]));
  assert.equal(lowest(boxes(laid, 0, 4000, 10)), 30);
});

test('zoom fills the width with a frame, its ancestors above it, its siblings gone', () => {
  const laid = layout(sampleTree(FRAMES, SAMPLES));
  const shown = boxes(laid, 3, 400, 10);
  assert.deepEqual(shown.map((box) => box.index).sort(), [0, 1, 2, 3]);
  assert.ok(shown.every((box) => box.width === 400));
});

test('a match inside a match counts once', () => {
  const laid = layout(sampleTree(FRAMES, SAMPLES));
  assert.equal(matchedShare(laid, 'query'), 0.5);
  assert.equal(matchedShare(laid, 'app/'), 1);
  assert.equal(matchedShare(laid, ''), 0);
});

test('what every stack shares above the first own frame is left out, its time kept', () => {
  const frames: Frame[] = ['serve', 'dispatch', 'view', 'query'].map((name, i) => ({
    function: name,
    file: 'f.py',
    line: i,
    category: i === 2 ? 'app' : 'lib',
  }));
  const samples = [sample(10, [0, 1, 2, 3]), sample(20, [0, 1, 2])];
  const short = withoutPlumbing(sampleTree(frames, samples));
  assert.deepEqual([short.hidden, short.tree.label, short.tree.parent], [2, ['all samples', 'view', 'query'], [-1, 0, 1]]);
  assert.deepEqual(short.tree.total, [20, 20, 10]);
  assert.equal(plumbingDepth(frames, samples), 2);
});

test('a frame with time of its own is no plumbing, nor is one that not all share', () => {
  const frames: Frame[] = ['serve', 'a', 'b'].map((name) => ({ function: name, file: 'f.py', line: 1, category: 'lib' }));
  assert.equal(withoutPlumbing(sampleTree(frames, [sample(10, [0, 1]), sample(20, [0])])).hidden, 0);
  assert.equal(withoutPlumbing(sampleTree(frames, [sample(10, [0, 1]), sample(20, [0, 2])])).hidden, 1);
  assert.equal(plumbingDepth(frames, [sample(10, [0, 1]), sample(20, [0])]), 0);
});

test('lines: recursion counts once, most own time first', () => {
  const lines = hotLines(FRAMES, [sample(10, [0, 1, 0, 1]), sample(20, [0])]);
  assert.deepEqual(
    lines.map((line) => [line.function, line.own_ms, line.total_ms]),
    [
      ['main', 10, 20],
      ['view', 10, 10],
    ],
  );
});

test('neighbouring samples join in the lane until stack, state or a gap parts them', () => {
  const joined = laneBoxes(SAMPLES, 30);
  assert.deepEqual(
    joined.filter((box) => box.frame === 0).map((box) => [box.from, box.to]),
    [[0, 40]],
  );
  assert.deepEqual(
    joined.filter((box) => box.frame === 2).map((box) => [box.from, box.to]),
    [[0, 20]],
  );
  assert.equal(laneBoxes([sample(10, [0]), sample(100, [0])], 30).length, 2);
  assert.equal(laneBoxes([sample(10, [0]), sample(20, [0], 10, 'uncertain')], 30).length, 2);
});

test('twelve thousand frames are laid out in a blink', () => {
  const length = 12_000;
  const parent = Array.from({ length }, (_, i) => (i ? Math.floor((i - 1) / 3) : -1));
  const total = parent.map((_, i) => length - i);
  const tree = {
    label: parent.map((_, i) => `f${i}`),
    place: parent.map(() => ''),
    category: parent.map(() => 'app'),
    parent,
    total,
    own: total,
  };
  const start = performance.now();
  boxes(layout(tree), 0, 1200, 19);
  assert.ok(performance.now() - start < 150);
});

test('on the CPU clock a flame graph holds what used the processor', () => {
  const timed = SAMPLES.map((each, i) => ({ ...each, cpu_ms: i === 0 ? 4 : i === 1 ? null : 0 }));
  const tree = sampleTree(FRAMES, timed, 'cpu');
  assert.equal(tree.total[0], 4);
  assert.equal(tree.label.length, 1 + timed[0]!.stack.length);
});
