/** "Look closer": measuring the next requests of an endpoint, fetched once the page stands. */
import { later } from '../../parts/later.tsx';

export const Closer = later(() => import('./closer-panel.tsx'));
