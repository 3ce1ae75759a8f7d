/** The badge in pages of the application itself, for its developer: what this page took, and a link to its trace.

It is a script of its own that depends on nothing and touches nothing of the page: what it draws lives in a shadow
root, with styles that a strict policy allows. */
(() => {
  const script = document.currentScript;
  if (!(script instanceof HTMLScriptElement) || !('adoptedStyleSheets' in Document.prototype)) return;
  const { apmAgent: trace = '', mount = '', ms = '', queries = '0', kinds = '' } = script.dataset;
  if (!/^[0-9a-f]{16}$/.test(trace) || document.querySelector('apm-agent-badge')) return;

  const host = document.createElement('apm-agent-badge');
  const root = host.attachShadow({ mode: 'open' });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`
    :host { all: initial; position: fixed; right: 12px; bottom: 12px; z-index: 2147483000; color-scheme: light dark }
    div { display: flex; border-radius: 8px; overflow: hidden; background: #17181c; border: 1px solid #4b4f5a;
      font: 500 12px/1 ui-sans-serif, system-ui, sans-serif; box-shadow: 0 2px 10px rgb(0 0 0 / 25%) }
    a, button { all: unset; cursor: pointer; color: #f5f5f2; padding: 8px 10px; white-space: nowrap;
      font-variant-numeric: tabular-nums }
    button { color: #b9bcc6; padding: 8px 9px; border-left: 1px solid #4b4f5a }
    a:hover, button:hover { background: #2b2d35 }
    a:focus-visible, button:focus-visible { outline: 2px solid #8ea2f5; outline-offset: -2px }
    @media print { :host { display: none } }
  `);
  root.adoptedStyleSheets = [sheet];

  const box = document.createElement('div');
  box.setAttribute('role', 'complementary');
  box.setAttribute('aria-label', 'apm-agent, for developers');
  const link = document.createElement('a');
  const took = Number(ms);
  const time = took >= 1000 ? `${(took / 1000).toFixed(2)} s` : `${took >= 10 ? took.toFixed(0) : ms} ms`;
  link.textContent = `${time}, ${queries} ${queries === '1' ? 'query' : 'queries'}`;
  link.title = `${kinds ? `${kinds}. ` : ''}Open the trace of this page`;
  link.href = `${mount}/trace?id=${trace}`;
  link.target = '_blank';
  link.rel = 'noopener';
  const close = document.createElement('button');
  close.type = 'button';
  close.textContent = '×';
  close.setAttribute('aria-label', 'Hide');
  close.addEventListener('click', () => host.remove());
  box.append(link, close);
  root.append(box);
  document.body.append(host);
})();
