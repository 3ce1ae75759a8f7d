/** What can be done with a line of code: open it in an editor, and ask who wrote it. */
import { createContext } from 'preact';
import { useContext, useEffect, useState } from 'preact/hooks';
import type { BlameAnswer } from '../api/acting.ts';
import { type ApiError, ask } from '../api/client.ts';
import type { Place } from '../api/types.ts';
import { useQuery } from '../state/query.ts';
import { type Changes, apiQuery } from '../state/url.ts';
import * as f from '../text/format.ts';
import { Icon } from './icon.tsx';
import { editorLink, useSite } from './site.ts';

/** Of which transaction or endpoint the lines on the page are; without one nobody can say who wrote them. */
export const Ran = createContext<Changes | null>(null);

/** The buttons beside a place, and below them what git said. */
export function Acts({ place: { file, line } }: { place: Place }) {
  const ran = useContext(Ran);
  const site = useSite();
  const [open, turn] = useState(false);
  const href = editorLink(site, file, line);
  const named = `line ${line} of ${f.tame(file, 80)}`;
  return (
    <>
      {href && (
        <a class="act" href={href} aria-label={`Open ${named} in the editor`} data-tip="Open in the editor">
          <Icon name="edit" />
        </a>
      )}
      {site?.blame && ran && (
        <button
          type="button"
          class="act"
          aria-expanded={open}
          aria-label={`Who wrote ${named}`}
          data-tip="git blame: who wrote it last, when and why"
          onClick={() => turn(!open)}
        >
          <Icon name="person" />
        </button>
      )}
      {open && ran && <Blame file={file} line={line} ran={ran} />}
    </>
  );
}

function Blame({ file, line, ran }: { file: string; line: number; ran: Changes }) {
  const query = useQuery();
  const [answer, set] = useState<BlameAnswer | null>(null);
  const [error, fail] = useState<ApiError | null>(null);
  const path = `blame${apiQuery(query.search, { file, line, ...ran })}`;
  useEffect(() => {
    const abort = new AbortController();
    set(null);
    fail(null);
    ask<BlameAnswer>(path, abort.signal)
      .then(set)
      .catch((reason: ApiError) => abort.signal.aborted || fail(reason));
    return () => abort.abort();
  }, [path]);
  return (
    <span class="blamed" role="status">
      {error ? (
        f.tame(error.message, 300)
      ) : !answer ? (
        'Asking git…'
      ) : answer.blame ? (
        <>
          <code>{f.tame(answer.blame.commit, 12)}</code> <b>{f.tame(answer.blame.author, 80) || 'nobody named'}</b>
          {answer.blame.at !== null && <span data-tip={f.exact(answer.blame.at)}> {f.day(answer.blame.at)}</span>}:{' '}
          {f.tame(answer.blame.subject, 200)}
          {answer.blame.boundary && <span class="muted"> (or earlier: the history here is cut)</span>}
        </>
      ) : (
        `Not known: ${f.tame(answer.why_none ?? '', 300)}.`
      )}
    </span>
  );
}
