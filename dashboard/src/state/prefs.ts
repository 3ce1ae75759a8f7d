/** Choices of this browser that are not worth a place in the address: theme, columns. */
import { Signal } from './signal.ts';

export type Theme = 'light' | 'dark';

export const theme = new Signal<Theme>(document.documentElement.dataset['theme'] === 'dark' ? 'dark' : 'light');

export function toggleTheme(): void {
  const next = theme.value === 'dark' ? 'light' : 'dark';
  document.documentElement.dataset['theme'] = next;
  remember('theme', next);
  theme.set(next);
}

export function recall(name: string): string | null {
  try {
    return localStorage.getItem(`apm-agent.${name}`);
  } catch {
    return null; // storage may be blocked
  }
}

export function remember(name: string, value: string): void {
  try {
    localStorage.setItem(`apm-agent.${name}`, value);
  } catch {
    // storage may be blocked; the choice then lasts as long as the page
  }
}
