/** A call as a command and as a test: texts for a shell and for Python, in which no name of a stranger does anything. */

export interface Call {
  kind: string;
  name: string;
  method: string | null;
  /** as it was asked for, scrubbed; the route where no path is kept */
  path: string | null;
  /** where it answers */
  base: string;
}

const MASK = '[scrubbed]';
// A call of grpc is no request that curl can make.
const METHOD = /^(?!GRPC$)[A-Z][A-Z-]{0,19}$/;

/** A request can be asked again where its method and path are known. */
export const asksAgain = ({ kind, method, path }: Call): boolean =>
  kind === 'web' && METHOD.test(method ?? '') && Boolean(path?.startsWith('/'));

/** One word of a POSIX shell. */
const shell = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** A path as it may stand in an address: what an address cannot hold is quoted, what is quoted stays. */
const address = (path: string): string =>
  path.replace(/\p{Surrogate}/gu, '\ufffd').replace(/[^\w\-.~!$&'()*+,;=:@/%<>[\]]/gu, (letter) => encodeURIComponent(letter));

export function curl(call: Call): string {
  const method = call.method!;
  const how = method === 'HEAD' ? '-I' : method === 'GET' ? '-i' : `-i -X ${method}`;
  // Brackets are patterns to curl unless it is told.
  return `curl -sS -g ${how} ${shell(call.base + address(call.path!))}`;
}

/** What such a text leaves open, in words. */
export function missing(call: Call): string[] {
  const path = call.path ?? '';
  return [
    'Not kept, so not in it: query string, headers, cookies and body. Add what the call needs.',
    ...(path.includes(MASK) ? [`Parts of the path were masked before they were kept: put values for ${MASK}.`] : []),
    ...(/<[^/]*>|\{[^/]*\}/.test(path) ? ['The path is the route: put values for what is in brackets.'] : []),
  ];
}

export interface Limit {
  ms: number;
  /** what the figure is, for the comment */
  says: string;
  repeats: boolean;
}

/** A pytest that asks the endpoint twenty times and holds it to a limit. */
export function pytest(call: Call, { ms, says, repeats }: Limit): string {
  const method = call.method!;
  const path = python(call.path!);
  const known = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'].includes(method);
  const lines = [
    `# ${comment(`${call.name}: ${says}`)}`,
    ...missing(call).map((text) => `# ${comment(text)}`),
    '# `client` is the test client of your framework; `apm` comes with apm-agent: see docs/testing.md.',
    '',
    '',
    `def test_${slug(call.name)}_is_not_slow(client, apm):`,
    '    for _ in range(20):',
    known ? `        client.${method.toLowerCase()}(${path})` : `        client.open(${path}, method=${python(method)})`,
    `    apm.assert_p95(${round(ms)}, endpoint=${python(call.name)})`,
  ];
  if (repeats) lines.push(`    apm.assert_no_repeated_queries(endpoint=${python(call.name)})`);
  return `${lines.join('\n')}\n`;
}

/** A literal of Python, in ASCII. */
function python(text: string): string {
  const inner = [...text].map((letter) => {
    const code = letter.codePointAt(0)!;
    if (letter === '"' || letter === '\\') return `\\${letter}`;
    if (code >= 0x20 && code < 0x7f) return letter;
    return code > 0xffff ? `\\U${code.toString(16).padStart(8, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
  return `"${inner.join('')}"`;
}

/** One line, whatever is in it. */
const comment = (text: string): string => text.replace(/[^\x20-\x7e]/gu, '?').slice(0, 300);

const slug = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '')
    .slice(0, 60) || 'it';

/** Rounded up, for a limit below what was measured would be a claim. */
function round(ms: number): number {
  const step = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(ms, 1))) - 1);
  return Math.max(1, Math.ceil(ms / step) * step);
}
