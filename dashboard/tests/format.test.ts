/** Figures as people read them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as f from '../src/text/format.ts';

test('a duration keeps two or three digits, and its unit fits', () => {
  const cases: [number | null, string][] = [
    [null, '–'],
    [0, '0 ms'],
    [0.034, '34 µs'],
    [0.4, '0.4 ms'],
    [9.94, '9.9 ms'],
    [9.96, '10 ms'],
    [999.4, '999 ms'],
    [999.6, '1.00 s'],
    [1584, '1.58 s'],
    [12_340, '12.3 s'],
    [3_600_000, '60 min'],
  ];
  for (const [value, text] of cases) assert.equal(f.ms(value), text);
});

test('a mark on an axis has no idle digits', () => {
  assert.deepEqual([1, 10, 1000, 20_000, 1500].map(f.mark), ['1 ms', '10 ms', '1 s', '20 s', '1.50 s']);
});

test('rates and means keep what tells them apart', () => {
  assert.deepEqual([0, 0.004, 0.05, 0.7, 9.94, 46.4, 1234].map(f.rate), ['0', '<0.01', '0.05', '0.7', '9.9', '46', '1,234']);
  assert.deepEqual([0, 2.5, 61, 148.2].map(f.mean), ['0', '2.5', '61', '148']);
});

test('memory carries its sign where growth is meant', () => {
  assert.equal(f.kb(18.4 * 1024, true), '+18.4 MB');
  assert.equal(f.kb(-300, true), '−300 kB');
  assert.equal(f.kb(0, true), '0 kB');
  assert.equal(f.bytes(184e6), '175.5 MB');
});

test('a small share is not nothing', () => {
  assert.equal(f.percent(0.0001), '<0.1%');
  assert.equal(f.percent(0), '0.0%');
  assert.equal(f.percent(0.261), '26.1%');
  assert.equal(f.percent(null), '–');
});

test('a name from a stranger cannot turn or flood the page', () => {
  assert.equal(f.tame('a\u202egnp.exe'), 'a\ufffdgnp.exe');
  assert.equal(f.tame('a\u0000b\u001bc'), 'a·b·c');
  assert.equal(f.tame('x'.repeat(1_000_000)).length, 401);
});

test('the tail of a path tells files apart', () => {
  assert.equal(f.shortPath('/srv/app/lib/django/db/models/base.py'), 'db/models/base.py');
  assert.equal(f.shortPath('C:\\app\\orders\\views.py', 2), 'orders/views.py');
  assert.equal(f.shortPath('views.py'), 'views.py');
});

test('ages are told in the unit that fits', () => {
  assert.deepEqual(
    [10, 300, 7200, 400_000].map((age) => f.ago(1e9 - age, 1e9)),
    ['10 s ago', '5 min ago', '2.0 h ago', '5 days ago'],
  );
});
