/** A value that components can watch, for the few things that the frame and a page share. */
import { useEffect, useState } from 'preact/hooks';

export class Signal<T> {
  #value: T;
  #watchers = new Set<(value: T) => void>();

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const watcher of this.#watchers) watcher(value);
  }

  watch(watcher: (value: T) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }
}

export function useSignal<T>(signal: Signal<T>): T {
  const [value, set] = useState(signal.value);
  useEffect(() => {
    set(signal.value);
    return signal.watch((next) => set(() => next));
  }, [signal]);
  return value;
}
