/** Links out of a saved page lead nowhere: whenever they are drawn, their addresses are taken. */

const OUT = /^(?:https?:|#)/;

export function letGo(): void {
  const cut = (root: ParentNode) => {
    for (const anchor of root.querySelectorAll('a[href]'))
      if (!OUT.test(anchor.getAttribute('href')!)) anchor.removeAttribute('href');
  };
  new MutationObserver((changes) => {
    for (const { target } of changes) if (target instanceof Element) cut(target.parentElement ?? target);
  }).observe(document.getElementById('app')!, { subtree: true, childList: true, attributes: true, attributeFilter: ['href'] });
}
