/** One tooltip for the whole page: whatever carries data-tip explains itself on hover and on focus. */

export function startTooltips(): void {
  const box = document.createElement('div');
  box.className = 'tooltip';
  box.setAttribute('role', 'tooltip');
  box.hidden = true;
  document.body.append(box);
  let owner: Element | null = null;

  const show = (target: EventTarget | null) => {
    const next = target instanceof Element ? target.closest('[data-tip]') : null;
    if (next === owner) return;
    owner = next;
    const text = next?.getAttribute('data-tip');
    box.hidden = !text;
    if (!next || !text) return;
    box.textContent = text;
    const at = next.getBoundingClientRect();
    const below = at.bottom + 6 + box.offsetHeight < innerHeight;
    box.style.left = `${Math.max(8, Math.min(at.left, innerWidth - box.offsetWidth - 8))}px`;
    box.style.top = `${below ? at.bottom + 6 : at.top - box.offsetHeight - 6}px`;
  };
  const hide = () => show(null);
  document.addEventListener('pointerover', (event) => event.pointerType === 'touch' || show(event.target));
  document.addEventListener('focusin', (event) => (event.target as Element).matches(':focus-visible') && show(event.target));
  document.addEventListener('focusout', hide);
  document.addEventListener('pointerdown', hide);
  document.addEventListener('keydown', (event) => event.key === 'Escape' && hide());
  addEventListener('scroll', hide, { passive: true, capture: true });
}
