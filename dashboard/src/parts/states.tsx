/** What a panel shows while there is nothing to show: loading, failed, empty. */
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { ApiError } from '../api/client.ts';
import type { Answer } from '../api/use.ts';
import type { Common } from '../api/types.ts';
import { useQuery } from '../state/query.ts';
import { RANGES } from '../state/url.ts';
import * as f from '../text/format.ts';
import { Segments } from './panel.tsx';

/** Draws an answer in whatever state it is. Old data stays, dimmed, while new data is on its way. */
export function Loaded<T>({
  answer,
  height = 240,
  what,
  children,
}: {
  answer: Answer<T>;
  height?: number;
  what: string;
  children: (data: T) => ComponentChildren;
}) {
  if (answer.data) {
    return (
      <div class={`loaded ${answer.slow ? 'dim' : ''}`} aria-busy={answer.slow}>
        {answer.error && <Failure error={answer.error} what={what} retry={answer.reload} old />}
        {children(answer.data)}
      </div>
    );
  }
  if (answer.error)
    return (
      <>
        <h1 class="sr-only">{what}</h1>
        <Failure error={answer.error} what={what} retry={answer.reload} />
      </>
    );
  return <Placeholder height={height} shown={answer.slow} what={what} />;
}

/** The frame of what is coming, quiet, and only once the wait can be noticed. */
function Placeholder({ height, shown, what }: { height: number; shown: boolean; what: string }) {
  return (
    <div class={`panel placeholder ${shown ? 'shown' : ''}`} style={{ minHeight: `${height}px` }}>
      <span class="sr-only" role="status">
        {shown ? `Loading ${what}` : ''}
      </span>
      <i />
      <i />
      <i />
    </div>
  );
}

export function Failure({
  error,
  what,
  retry,
  old = false,
}: {
  error: ApiError;
  what: string;
  retry: () => void;
  old?: boolean;
}) {
  return (
    <div class="panel failure" role="alert">
      <div>
        <b>Could not load {what}.</b> {f.tame(error.message, 500)}
        {old && <span class="muted"> What you see is from before.</span>}
        <div class="muted num">{error.status ? `status ${error.status}, ${error.code}` : error.code}</div>
      </div>
      <button type="button" class="button" onClick={retry}>
        Try again
      </button>
    </div>
  );
}

const FRAMEWORKS = [
  {
    id: 'any',
    title: 'Any app',
    lines: ['pip install apm-agent', 'apm-agent run gunicorn shop:app', 'curl http://localhost:8000/'],
  },
  {
    id: 'django',
    title: 'Django',
    lines: ['pip install apm-agent', 'INSTALLED_APPS += ["apm_agent.integrations.django"]', 'python manage.py runserver'],
  },
  {
    id: 'flask',
    title: 'Flask',
    lines: ['import apm_agent.integrations.flask', 'apm_agent.integrations.flask.init_app(app)', 'flask run'],
  },
  {
    id: 'asgi',
    title: 'FastAPI, Starlette',
    lines: ['from apm_agent.integrations.asgi import APMMiddleware', 'app.add_middleware(APMMiddleware)', 'uvicorn shop:app'],
  },
] as const;

/** Nothing was ever recorded, or nothing in this range, or nothing that passes the filters: each with its next step. */
export function Empty({ common, noun, filters = [] }: { common: Common; noun: string; filters?: string[] }) {
  const query = useQuery();
  const active = [...filters, 'service', 'release', 'host'].filter((name) => query.get(name));
  if (active.length) return <NoMatch noun={noun} active={active} />;
  if (common.store.written_at === null) return <NothingYet />;
  const { from, to } = common.window;
  const wider = RANGES.filter(
    (range) => ({ '15m': 900, '1h': 3600, '6h': 21_600, '24h': 86_400, '7d': 604_800 })[range] > to - from + 1,
  );
  return (
    <div class="empty">
      <h2>
        No {noun} in the last {f.lasted(to - from)}
      </h2>
      <p>
        The last event was written {f.ago(common.store.written_at)}. Nothing is wrong with the store; nothing was asked of the
        app.
      </p>
      <p class="row">
        {wider.slice(0, 2).map((range) => (
          <button key={range} type="button" class="button" onClick={() => query.set({ range, from: null, to: null })}>
            Look at the last {range}
          </button>
        ))}
      </p>
    </div>
  );
}

function NoMatch({ noun, active }: { noun: string; active: string[] }) {
  const query = useQuery();
  return (
    <div class="empty">
      <h2>No {noun} with these filters</h2>
      <p>Take one away:</p>
      <p class="row">
        {active.map((name) => (
          <button key={name} type="button" class="chip removable" onClick={() => query.set({ [name]: null })}>
            {name.replace('_', ' ')}: {f.tame(query.get(name), 60)} <span aria-hidden="true">×</span>
            <span class="sr-only"> remove</span>
          </button>
        ))}
        <button type="button" class="button" onClick={() => query.set(Object.fromEntries(active.map((name) => [name, null])))}>
          Remove all
        </button>
      </p>
    </div>
  );
}

function NothingYet() {
  const query = useQuery();
  const [id, select] = useState<string>('any');
  const { lines } = FRAMEWORKS.find((framework) => framework.id === id)!;
  return (
    <div class="empty">
      <h2>Nothing recorded yet</h2>
      <p>
        Last event: never. Start the app with the agent and send it a request; it shows up here within 2 seconds.{' '}
        <a class="link" href={query.link('health')}>
          Which store is this?
        </a>
      </p>
      <Segments label="How the app is built" options={[...FRAMEWORKS]} current={id} select={select} />
      <pre role="group" tabIndex={0} aria-label="Install lines">
        {lines.join('\n')}
      </pre>
    </div>
  );
}
