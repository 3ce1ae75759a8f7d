/** A line of Python as tokens, enough to read it more easily. */

export type Token = { text: string; kind: 'word' | 'keyword' | 'string' | 'comment' };

const KEYWORDS = new Set(
  (
    'False None True and as assert async await break class continue def del elif else except finally for from global if import in is lambda ' +
    'match nonlocal not or pass raise return try while with yield'
  ).split(' '),
);
const PIECES = /(#.*$)|((?:[rbfuRBFU]{0,2})(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'))|([A-Za-z_]\w*)|([^A-Za-z_#"']+|.)/g;

export function tokens(line: string): Token[] {
  return [...line.slice(0, 400).matchAll(PIECES)].map(([text, comment, quoted, word]) => {
    if (comment) return { text, kind: 'comment' };
    if (quoted) return { text, kind: 'string' };
    return { text, kind: word && KEYWORDS.has(word) ? 'keyword' : 'word' };
  });
}
