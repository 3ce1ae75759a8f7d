/** Asks the JSON API, turns every way of failing into one error, and tells when the page has settled. */
import { answerTo, saved } from '../state/saved.ts';
import { Signal } from '../state/signal.ts';
import type { Common } from './types.ts';

export class ApiError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** What the last answer said about the store. */
export const store = new Signal<Common['store'] | null>(null);

export const API = 'api/v1/';

/** `path` is relative to the mount: `endpoints?range=1h`. */
export async function ask<T>(path: string, signal?: AbortSignal): Promise<T> {
  if (saved) return kept<T>(path);
  let response: Response;
  try {
    response = await fetch(new URL(API + path, document.baseURI), {
      signal: signal ?? null,
      headers: { Accept: 'application/json' },
    });
  } catch (error) {
    if ((error as Error).name === 'AbortError') throw error;
    throw new ApiError(0, 'unreachable', 'The server did not answer. Is it still running?');
  }
  const body: unknown = await response.json().catch(() => null);
  if (!response.ok) throw refusal(response, body);
  if (!body || typeof body !== 'object')
    throw new ApiError(response.status, 'bad_answer', 'The answer was not JSON. Is a proxy or a login page in between?');
  const { store: said } = body as Partial<Common>;
  if (said) store.set({ written_at: said.written_at ?? null, stale: Boolean(said.stale), partial: said.partial ?? null });
  return body as T;
}

/** In a page that was saved as a file there is nobody to ask. */
function kept<T>(path: string): T {
  const answer = saved && answerTo(saved, path);
  if (answer === undefined)
    throw new ApiError(0, 'not_in_file', 'This was not on the page when it was saved as a file; the dashboard knows it.');
  return answer as T;
}

function refusal(response: Response, body: unknown): ApiError {
  const error = (body as { error?: { code?: string; message?: string } } | null)?.error;
  return new ApiError(
    response.status,
    error?.code ?? 'http',
    error?.message ?? (response.statusText || 'The server gave no reason.'),
  );
}

let pending = 0;
let settling = 0;

/** Counts what the page is waiting for; html[data-ready] appears when it is nothing. */
export function begin(): () => void {
  pending += 1;
  delete document.documentElement.dataset['ready'];
  let done = false;
  return () => {
    if (done) return;
    done = true;
    pending -= 1;
    const turn = ++settling;
    requestAnimationFrame(() =>
      requestAnimationFrame(() => {
        if (pending === 0 && turn === settling) document.documentElement.dataset['ready'] = '1';
      }),
    );
  };
}
