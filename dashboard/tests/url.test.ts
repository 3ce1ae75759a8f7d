/** The state of a page is its query string. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { apiQuery, changed, link } from '../src/state/url.ts';

test('a change keeps the rest, and nothing is removed by emptiness', () => {
  assert.equal(changed('?range=6h&q=a', { q: null, sort: 'p95' }), '?range=6h&sort=p95');
  assert.equal(changed('?q=a', { q: '' }), '');
});

test('names with slashes, brackets and spaces survive', () => {
  const name = 'GET /orders/<int:id>/ & more';
  const href = link('', 'endpoint', { name });
  assert.ok(href.startsWith('endpoint?') && !href.includes('+'));
  assert.equal(new URLSearchParams(href.slice('endpoint'.length)).get('name'), name);
});

test('a link carries range and filters, not what belongs to its page', () => {
  assert.equal(
    link('?range=6h&service=shop&release=1&live=1&q=x&sort=p95&name=n', 'traces'),
    'traces?range=6h&service=shop&release=1&live=1',
  );
  assert.equal(link('?service=shop', 'endpoint', { service: 'jobs' }), 'endpoint?service=jobs');
});

test('the API is asked for the window of the page', () => {
  assert.equal(apiQuery(''), '?range=1h');
  assert.equal(apiQuery('?range=7d&live=1', { limit: 5 }), '?range=7d&limit=5');
  assert.equal(apiQuery('?from=1&to=2&range=6h'), '?from=1&to=2');
  assert.equal(apiQuery('?service=a&release=b', { service: null }), '?release=b&range=1h');
});
