/** Copies a text, and says so where one looks and listens; `y` copies the place of what is focused. */
import { typing } from '../frame/keys.ts';

/** The clipboard needs a secure page; a field that is selected and copied does not. */
export async function copyText(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = document.createElement('textarea');
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand('copy');
    field.remove();
  }
}

let box: HTMLElement | null = null;
let timer = 0;

/** Shows a short text at the foot of the page for a moment. */
export function announce(text: string): void {
  if (!box) {
    box = document.createElement('div');
    box.className = 'toast';
    box.setAttribute('role', 'status');
    document.body.append(box);
  }
  box.textContent = text;
  clearTimeout(timer);
  timer = window.setTimeout(() => box && (box.textContent = ''), 2000);
}

/** Of the focused line, else of what is marked, else of the first line there is. */
function placeHere(): string | undefined {
  const focused = document.activeElement;
  const near = focused === document.body ? null : (focused?.closest('[data-place]') ?? focused?.querySelector('[data-place]'));
  const marked = document.querySelector('[data-marked]');
  const found = near ?? (marked ? marked.querySelector('[data-place]') : document.querySelector('#main [data-place]'));
  return found?.getAttribute('data-place') ?? undefined;
}

let started = false;

/** The key `y`, from when the first place is drawn on. */
export function startCopyKey(): void {
  if (started) return;
  started = true;
  addEventListener('keydown', (event) => {
    if (event.key !== 'y' || event.defaultPrevented || typing(event)) return;
    const place = placeHere();
    if (!place) return;
    event.preventDefault();
    copyText(place).then(() => announce(`Copied ${place}`));
  });
}
