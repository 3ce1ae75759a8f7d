/** Diagnostics that can be shown to strangers, and settings as they would be written. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HealthAnswer } from '../src/api/health.ts';
import { diagnostics } from '../src/pages/health/diagnostics.ts';

const PROCESS = {
  host: 'db1.corp.internal', pid: 7, service: 'payroll', release: 'secret-2', started: 1, last_seen: 2, python: '3.12.1', server: 'gunicorn',
  recorder: { queued: 0, recorded: 9, dropped: 0, ignored: 0 },
  writer: { batches: 1, last_ms: 1, max_ms: 1, errors: 1, cpu_ms: 1, last_error: 'no /home/ann/apm.db' },
  instruments: [{ name: 'redis', state: 'failed', detail: 'in /home/ann/redis.py' }],
  contained: [{ what: 'reading', error: 'OSError: /home/ann/x', count: 2 }],
  settings: { slow: 0.5, sampler: true, app_root: '/home/ann/payroll', ignore: ['/admin/ann'], insight_thresholds: { a: 1 } },
};
const ANSWER = {
  agent: { version: '1', schema: 3, reads: 3 },
  dashboard: { python: '3', sqlite: '3', werkzeug: '3', host: 'db1.corp.internal', pid: 8 },
  store: { url: 'sqlite:////home/ann/apm.db', bytes: 5 },
  cost: {}, checks: [{ state: 'wrong', what: 'writing', detail: '/home/ann/apm.db', cure: '' }], elsewhere: [], unused: [],
  privacy: { keys: [{ key: 'ann', count: 1 }] },
  processes: [PROCESS, { ...PROCESS, host: 'db2.corp.internal' }],
} as unknown as HealthAnswer;

test('diagnostics hold the figures and no name of the user', () => {
  const text = diagnostics(ANSWER);
  for (const secret of ['ann', 'payroll', 'corp', 'secret-2']) assert.ok(!text.includes(secret), secret);
  const said = JSON.parse(text);
  assert.equal(said.dashboard.host, 'host-1');
  assert.deepEqual(said.processes.map((one: { host: string }) => one.host), ['host-1', 'host-2']);
  assert.equal(said.processes[0].settings.slow, 0.5);
  assert.equal(said.processes[0].settings.app_root, '[text, 17 characters]');
  assert.deepEqual(said.processes[0].contained, [{ what: 'reading', error: 'OSError', count: 2 }]);
  assert.equal(said.store.url, 'sqlite://[masked]');
});
