/** Texts for a shell, for Python and for an editor, and answers found again in a file: no name does anything in them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { type Call, asksAgain, curl, missing, pytest } from '../src/parts/copy-texts.ts';
import { editorLink } from '../src/parts/site.ts';
import type { SiteAnswer } from '../src/api/acting.ts';
import { type Saved, answerTo } from '../src/state/saved.ts';

const CALL: Call = { kind: 'web', name: 'GET /orders', method: 'GET', path: '/orders', base: 'http://localhost:8000' };
const LIMIT = { ms: 265.3, says: 'p95 of 7 calls', repeats: false };
const HOSTILE = [
  "/a'; touch owned; '",
  '/$(touch owned)`touch owned`',
  '/a\nb\r"""\\',
  '/\u2028\u202e\ud800',
  '/-- "x" && !!',
  '/[1-3]{a,b}',
  '/界\u{1f600}',
];

test('a call as curl', () => {
  assert.equal(curl(CALL), "curl -sS -g -i 'http://localhost:8000/orders'");
  assert.equal(curl({ ...CALL, method: 'POST' }), "curl -sS -g -i -X POST 'http://localhost:8000/orders'");
  assert.equal(curl({ ...CALL, method: 'HEAD' }), "curl -sS -g -I 'http://localhost:8000/orders'");
});

test('a shell takes a hostile path as one word, and it stays an address', () => {
  for (const path of HOSTILE) {
    const words = execFileSync('bash', ['-c', `printf '%s\\0' ${curl({ ...CALL, path })}`], { encoding: 'utf8' }).split('\0');
    assert.deepEqual(words.slice(0, 4), ['curl', '-sS', '-g', '-i']);
    assert.equal(words.length, 6, 'the address and what follows the last NUL');
    assert.match(words[4]!, /^http:\/\/localhost:8000\/[\x21-\x7e]*$/);
  }
});

test('a call that cannot be asked again is not offered', () => {
  assert.ok(asksAgain(CALL));
  for (const wrong of [{ kind: 'background' }, { method: null }, { method: 'GET; ls' }, { method: 'GRPC' }, { path: null }, { path: '--help' }])
    assert.ok(!asksAgain({ ...CALL, ...wrong }), JSON.stringify(wrong));
});

test('what is not kept is said', () => {
  assert.match(missing(CALL)[0]!, /query string, headers, cookies and body/);
  assert.equal(missing(CALL).length, 1);
  assert.match(missing({ ...CALL, path: '/user/[scrubbed]' })[1]!, /masked/);
  assert.match(missing({ ...CALL, path: '/order/<int:id>' })[1]!, /route/);
  assert.match(missing({ ...CALL, path: '/order/{id}' })[1]!, /route/);
});

test('a call as a test', () => {
  const text = pytest(CALL, { ...LIMIT, repeats: true });
  assert.ok(text.includes('def test_get_orders_is_not_slow(client, apm):\n    for _ in range(20):\n        client.get("/orders")\n'));
  assert.ok(text.includes('    apm.assert_p95(270, endpoint="GET /orders")\n'), text);
  assert.ok(text.includes('    apm.assert_no_repeated_queries(endpoint="GET /orders")\n'));
  assert.ok(pytest({ ...CALL, method: 'PURGE' }, LIMIT).includes('client.open("/orders", method="PURGE")'));
  assert.ok(pytest(CALL, { ...LIMIT, ms: 0.2 }).includes('assert_p95(1,'), 'a limit is above what was measured');
});

test('Python reads a hostile name as the very same text', () => {
  for (const path of HOSTILE) {
    const text = pytest({ ...CALL, path, name: `GET ${path}` }, { ...LIMIT, says: path });
    assert.match(text, /^[\x0a\x20-\x7e]*$/);
    assert.ok(text.split('\n').every((line) => /^(#|def |    |$)/.test(line)), text);
    const read = execFileSync(
      'python3',
      ['-c', 'import ast, json, sys; t = ast.parse(sys.stdin.read()); print(json.dumps([n.value for n in ast.walk(t) if isinstance(n, ast.Constant) and isinstance(n.value, str)]))'],
      { input: text, encoding: 'utf8' },
    );
    assert.deepEqual(new Set(JSON.parse(read) as string[]), new Set([path, `GET ${path}`]));
  }
});

const site = (link: string, paths: Record<string, string> = {}): SiteAnswer =>
  ({ editor: { link, paths }, blame: true }) as unknown as SiteAnswer;

test('an editor is told path and line, and nothing else', () => {
  const paths = { 'shop.py': '/srv/my shop/shop.py', 'win.py': 'C:\\shop\\win.py', 'bad.py': '/a?b#c&d/"<x>.py' };
  assert.equal(editorLink(site('vscode://file{path}:{line}', paths), 'shop.py', 8), 'vscode://file/srv/my%20shop/shop.py:8');
  assert.equal(editorLink(site('vscode://file{path}:{line}', paths), 'win.py', 8), 'vscode://file/C%3A/shop/win.py:8');
  assert.equal(editorLink(site('idea://open?file={path}&line={line}', paths), 'bad.py', 1), 'idea://open?file=/a%3Fb%23c%26d/%22%3Cx%3E.py&line=1');
  assert.equal(editorLink(site('https://git.example.com/{file}#L{line}'), 'a/$&/x.py', 3), 'https://git.example.com/a/%24%26/x.py#L3');
  assert.equal(editorLink(site('vscode://file{path}:{line}', paths), 'other.py', 8), null);
  assert.equal(editorLink(site('vscode://file{path}:{line}', paths), 'constructor', 8), null);
  assert.equal(editorLink(site('javascript:{file}'), 'alert(1)', 8), null);
  assert.equal(editorLink(null, 'shop.py', 8), null);
  assert.equal(editorLink(site('a://{file}'), '\ud800.py', 1), 'a://%EF%BF%BD.py');
});

test('a saved page finds its own answers and no others', () => {
  const answers = [
    { question: 'endpoint', parameters: {}, answer: 'endpoint' },
    { question: 'profile', parameters: { format: 'columnar', clock: 'wall' }, answer: 'wall' },
    { question: 'profile', parameters: { format: 'columnar', clock: 'cpu' }, answer: 'cpu' },
  ];
  const file = { search: '?name=GET+%2Forders&kind=web&range=24h', answers } as unknown as Saved;
  const here = 'name=GET%20%2Forders&range=24h';
  assert.equal(answerTo(file, `endpoint?${here}`), 'endpoint');
  assert.equal(answerTo(file, `endpoint?${here}&kind=web`), 'endpoint');
  assert.equal(answerTo(file, `profile?${here}&format=columnar&clock=cpu`), 'cpu');
  assert.equal(answerTo(file, `profile?${here}&clock=wall`), 'wall');
  assert.equal(answerTo(file, `profile?${here}`), 'wall');
  assert.equal(answerTo(file, `profile?${here}&clock=cpu&band=slow`), undefined);
  assert.equal(answerTo(file, 'endpoint?name=GET%20%2Fother&range=24h'), undefined);
  assert.equal(answerTo(file, 'endpoint?name=GET%20%2Forders&range=1h'), undefined);
  assert.equal(answerTo(file, `endpoints?${here}`), undefined);
  const one = { search: '?id=1', answers: [{ question: 'trace', parameters: {}, answer: 'trace' }] } as unknown as Saved;
  assert.equal(answerTo(one, 'trace?id=1&range=1h'), 'trace');
  assert.equal(answerTo(one, 'trace?id=2'), undefined);
});
