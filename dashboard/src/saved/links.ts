/** Links out of a saved page lead nowhere, and nothing else can be picked: whenever they are drawn, they are put out. */

const OUT = /^(?:https?:|#)/;

export function letGo(): void {
  const cut = (root: ParentNode) => {
    for (const anchor of root.querySelectorAll('a[href]'))
      if (!OUT.test(anchor.getAttribute('href')!)) anchor.removeAttribute('href');
    for (const choice of root.querySelectorAll<HTMLSelectElement | HTMLButtonElement>('.picks select, .picks button'))
      choice.disabled = true;
  };
  new MutationObserver((changes) => {
    for (const { target } of changes) if (target instanceof Element) cut(target.parentElement ?? target);
  }).observe(document.getElementById('app')!, { subtree: true, childList: true, attributes: true, attributeFilter: ['href'] });
}
