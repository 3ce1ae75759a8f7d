/** Entry of a page that was saved as one file: draws the same page out of what the file holds. */
import { render } from 'preact';
import { startTooltips } from '../parts/tooltip.ts';
import type { Saved } from '../state/saved.ts';
import { saved } from '../state/saved.ts';
import { Frame } from './frame.tsx';
import { letGo } from './links.ts';
import { PAGES } from './pages.ts';

const page = PAGES.find(({ id }) => id === saved?.page) ?? PAGES[0]!;

letGo();
startTooltips();
render(<Frame page={page} file={saved as Saved} />, document.getElementById('app')!);
