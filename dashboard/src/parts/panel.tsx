/** A panel: a titled box on a page. */
import type { ComponentChildren } from 'preact';

interface Props {
  id: string;
  title: string;
  sub?: ComponentChildren;
  tools?: ComponentChildren;
  class?: string;
  level?: 1 | 2;
  children?: ComponentChildren;
}

export function Panel({ id, title, sub, tools, class: extra = '', level = 2, children }: Props) {
  const Heading = `h${level}` as 'h1' | 'h2';
  return (
    <section class={`panel ${extra}`} aria-labelledby={`${id}-title`} id={id}>
      <div class="head">
        <Heading id={`${id}-title`} class="title">
          {title}
        </Heading>
        {sub && <span class="sub">{sub}</span>}
        {tools && <span class="tools">{tools}</span>}
      </div>
      {children}
    </section>
  );
}

export function Tabs<T extends string>({
  label,
  tabs,
  current,
  select,
  children,
}: {
  label: string;
  tabs: { id: T; title: string; count?: number | null }[];
  current: T;
  select: (id: T) => void;
  children: ComponentChildren;
}) {
  const move = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (!step) return;
    event.preventDefault();
    const at = tabs.findIndex((tab) => tab.id === current);
    const next = tabs[(at + step + tabs.length) % tabs.length]!;
    select(next.id);
    document.getElementById(`tab-${next.id}`)?.focus();
  };
  return (
    <>
      <div class="tabs" role="tablist" aria-label={label} onKeyDown={move}>
        {tabs.map((tab) => (
          <button
            key={tab.id}
            type="button"
            role="tab"
            id={`tab-${tab.id}`}
            aria-selected={tab.id === current}
            aria-controls={`panel-${tab.id}`}
            tabIndex={tab.id === current ? 0 : -1}
            onClick={() => select(tab.id)}
          >
            {tab.title}
            {tab.count !== null && tab.count !== undefined && <span class="n">{tab.count}</span>}
          </button>
        ))}
      </div>
      <div role="tabpanel" id={`panel-${current}`} aria-labelledby={`tab-${current}`}>
        {children}
      </div>
    </>
  );
}

/** Buttons of which one is pressed. */
export function Segments<T extends string>({
  label,
  options,
  current,
  select,
  order = false,
}: {
  label: string;
  options: { id: T; title: string; tip?: string }[];
  current: T | null;
  select: (id: T) => void;
  /** what the key `s` goes to */
  order?: boolean;
}) {
  const move = (event: KeyboardEvent) => {
    const from = event.target as Element;
    const to = event.key === 'ArrowRight' ? from.nextElementSibling : event.key === 'ArrowLeft' ? from.previousElementSibling : null;
    (to as HTMLElement | null)?.focus();
  };
  return (
    <div class="segments" role="group" aria-label={label} onKeyDown={move} data-order={order ? '' : undefined}>
      {options.map((option) => (
        <button
          key={option.id}
          type="button"
          aria-pressed={option.id === current}
          data-tip={option.tip}
          onClick={() => select(option.id)}
        >
          {option.title}
        </button>
      ))}
    </div>
  );
}
