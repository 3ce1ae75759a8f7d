/** Entry: draws the frame around the page that the shell names. */
import { render } from 'preact';
import { startTooltips } from './parts/tooltip.ts';
import { Shell } from './frame/frame.tsx';
import { PAGES } from './pages.ts';
import { followLinks } from './state/query.ts';

const page = PAGES.find(({ id }) => id === document.documentElement.dataset['page']) ?? PAGES[0]!;

followLinks();
startTooltips();
render(<Shell page={page} />, document.getElementById('app')!);
