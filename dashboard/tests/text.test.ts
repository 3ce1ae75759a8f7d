/** Statements, lines of code, kinds of time, and cells for spreadsheets. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cell } from '../src/pages/endpoints/csv.ts';
import { kindClass, parts } from '../src/text/kinds.ts';
import { tokens as python } from '../src/text/python.ts';
import { brief, tokens as sql } from '../src/text/sql.ts';

const joined = (all: { text: string }[]): string => all.map(({ text }) => text).join('');

test('a statement breaks before its clauses, not inside a join', () => {
  assert.equal(
    joined(sql('SELECT a FROM t LEFT OUTER JOIN u ON t.i = u.i WHERE a = ? ORDER BY a')),
    'SELECT a\nFROM t\nLEFT OUTER JOIN u ON t.i = u.i\nWHERE a = ?\nORDER BY a',
  );
});

test('quoted words are no keywords', () => {
  const quoted = sql(`SELECT "from" FROM t WHERE a = 'it''s where'`).filter(({ kind }) => kind === 'string');
  assert.deepEqual(
    quoted.map(({ text }) => text),
    ['"from"', `'it''s where'`],
  );
});

test('a hostile statement is cut, not run through for ever', () => {
  assert.ok(joined(sql(`SELECT ${'(('.repeat(500_000)}`)).length < 7000);
  assert.ok(joined(sql("'".repeat(100_000))).length < 7000);
});

test('in a line, a long list of columns is left out', () => {
  assert.equal(brief('SELECT "a"."id", "a"."name", "a"."price" FROM "a" WHERE 1'), 'SELECT … FROM "a" WHERE 1');
  assert.equal(brief('SELECT 1 FROM a'), 'SELECT 1 FROM a');
});

test('a line of Python keeps every character', () => {
  const line = '    return f"{x}" if x else None  # why';
  assert.equal(joined(python(line)), line);
  assert.deepEqual(
    python(line)
      .filter(({ kind }) => kind === 'keyword')
      .map(({ text }) => text),
    ['return', 'if', 'else', 'None'],
  );
});

test('kinds are parts of a whole; code counts as Python, the unknown too', () => {
  assert.deepEqual(
    parts({ db: 30, python: 10, gc: 0 }).map(({ kind, share }) => [kind, share]),
    [
      ['python', 0.25],
      ['db', 0.75],
    ],
  );
  assert.deepEqual(
    parts({ db: 30, python: 10 }, true).map(({ kind }) => kind),
    ['db', 'python'],
  );
  assert.deepEqual([kindClass('db'), kindClass('code'), kindClass('x" onload="y')], ['k-db', 'k-python', 'k-python']);
});

test('a cell that a spreadsheet would run is quoted', () => {
  assert.equal(cell('=1+1'), "'=1+1");
  assert.equal(cell('a,"b"'), '"a,""b"""');
  assert.equal(cell(-3), '-3');
  assert.equal(cell(null), '');
});
