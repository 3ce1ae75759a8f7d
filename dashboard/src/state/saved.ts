/** What a page that was saved as one file brings along: the answers it was drawn from, and the address it had. */

export interface Saved {
  page: string;
  title: string;
  about: string;
  search: string;
  at: number;
  version: string;
  bytes: number;
  answers: { question: string; parameters: Record<string, string>; answer: unknown }[];
}

export const saved: Saved | null = read();

function read(): Saved | null {
  if (typeof document === 'undefined' || document.documentElement.dataset['saved'] === undefined) return null;
  return JSON.parse(document.getElementById('saved')!.textContent!) as Saved;
}

/** A page asks for its range even where its address names none. */
const LOOSE = new Set(['range', 'from', 'to', 'service', 'release', 'host']);

/** The answer to a question as the page puts it; undefined where the file does not hold it. */
export function answerTo(file: Saved, path: string): unknown {
  const [question, query] = path.split('?');
  const address = new URLSearchParams(file.search);
  const asked = [...new URLSearchParams(query)];
  const found = file.answers.find(
    ({ question: name, parameters }) =>
      name === question &&
      Object.keys(parameters).every((key) => asked.some(([given]) => given === key) || DEFAULTS[key] === parameters[key]) &&
      asked.every(([key, value]) => {
        if (key in parameters) return parameters[key] === value;
        return address.has(key) ? address.get(key) === value : LOOSE.has(key);
      }),
  );
  return found?.answer;
}

/** What a question means that leaves these out. */
const DEFAULTS: Record<string, string> = { format: 'columnar', clock: 'wall' };
