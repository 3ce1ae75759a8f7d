/** Asks the server to do something: a POST of JSON, which only a page of ours can send. */
import { API, ApiError } from './client.ts';

export async function send<T>(name: string, document_: Record<string, unknown>): Promise<T> {
  let response: Response;
  try {
    response = await fetch(new URL(API + name, document.baseURI), {
      method: 'POST',
      headers: { Accept: 'application/json', 'Content-Type': 'application/json' },
      body: JSON.stringify(document_),
    });
  } catch {
    throw new ApiError(0, 'unreachable', 'The server did not answer. Is it still running?');
  }
  const body = (await response.json().catch(() => null)) as { error?: { code?: string; message?: string } } | null;
  if (!response.ok || !body)
    throw new ApiError(response.status, body?.error?.code ?? 'http', body?.error?.message ?? 'The server gave no reason.');
  return body as T;
}
