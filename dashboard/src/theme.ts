/** Runs before the first paint and settles the theme, so that nothing flashes. */
(() => {
  let theme = new URLSearchParams(location.search).get('theme');
  try {
    theme ??= localStorage.getItem('apm-agent.theme');
  } catch {
    // storage may be blocked; the system's choice will do
  }
  if (theme !== 'dark' && theme !== 'light') theme = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
  document.documentElement.dataset.theme = theme;
})();
