/** A statement as tokens, with line breaks before its clauses, for the panes that show it. */

export type Token = { text: string; kind: 'word' | 'keyword' | 'string' | 'space' | 'break' };

const KEYWORDS = new Set(
  (
    'select from where and or not in is null join left right inner outer full cross on as group by order having limit offset insert into values update set delete ' +
    'distinct union all case when then else end exists between like ilike asc desc returning with create table alter drop index begin commit rollback savepoint release for'
  ).split(' '),
);
const CLAUSE =
  /^(select|from|where|group|order|having|limit|offset|union|values|set|returning|left|right|inner|full|cross|join)$/i;
const PIECES = /('(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`)|(\s+)|([A-Za-z_][\w$]*)|([^\s\w'"`]+|.)/gs;
const LIMIT = 6000;

export function tokens(sql: string): Token[] {
  const result: Token[] = [];
  let last = '';
  const shown = sql.length > LIMIT ? `${sql.slice(0, LIMIT)} …` : sql;
  for (const [text, quoted, space, word] of shown.matchAll(PIECES)) {
    if (quoted) result.push({ text, kind: 'string' });
    else if (space) result.push({ text: ' ', kind: 'space' });
    else if (!word) result.push({ text, kind: 'word' });
    else {
      const joins = /^join$/i.test(word) && /^(left|right|inner|full|cross|outer)$/i.test(last);
      if (CLAUSE.test(word) && result.length && !joins && result.at(-1)?.text !== '(') {
        if (result.at(-1)?.kind === 'space') result.pop();
        result.push({ text: '\n', kind: 'break' });
      }
      result.push({ text, kind: KEYWORDS.has(word.toLowerCase()) ? 'keyword' : 'word' });
      last = word;
    }
  }
  return result;
}

/** What a statement is about, in a line: its columns left out. */
export function brief(sql: string): string {
  const line = sql.slice(0, 2000).replace(/\s+/g, ' ').trim();
  return line
    .replace(/^(select(?: distinct)?) .{24,}? from /i, '$1 … from ')
    .replace(/ … from /, / FROM /.test(line) ? ' … FROM ' : ' … from ');
}
