/** Trace: why was this one slow? */
import { useEffect } from 'preact/hooks';
import type { TraceAnswer } from '../../api/trace.ts';
import { useAnswer } from '../../api/use.ts';
import { typing } from '../../frame/keys.ts';
import { Ran } from '../../parts/blame.tsx';
import { Loaded } from '../../parts/states.tsx';
import { go, useQuery } from '../../state/query.ts';
import * as f from '../../text/format.ts';
import { Blocked } from './blocked.tsx';
import { Captures } from './captures.tsx';
import { Code } from './code.tsx';
import { Sources } from './sources.tsx';
import { Header } from './header.tsx';
import { Calls, Data } from './tables.tsx';
import { Timeline } from './timeline.tsx';

/** A trace is ranked among the calls of its own time, whatever range one came from. */
const NOWHEN = { range: null, from: null, to: null, service: null, release: null };

export default function Trace() {
  const query = useQuery();
  const id = query.get('id');
  const answer = useAnswer<TraceAnswer>('trace', { id, ...NOWHEN }, { skip: !id, still: true });
  if (!id)
    return (
      <div class="panel empty">
        <h1 class="title">No trace chosen</h1>
        <p>
          <a class="link" href={query.link('traces')}>
            Choose one from the list.
          </a>
        </p>
      </div>
    );
  return (
    <Loaded answer={answer} what={`trace ${f.tame(id, 40)}`} height={600}>
      {(data) => (
        <Ran.Provider value={{ id: data.trace.id, ...NOWHEN }}>
          <Content key={data.trace.id} data={data} path={answer.path} />
        </Ran.Provider>
      )}
    </Loaded>
  );
}

function Content({ data, path }: { data: TraceAnswer; path: string }) {
  const query = useQuery();
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (typing(event)) return;
      const to = event.key === '[' ? data.previous : event.key === ']' ? data.next : null;
      if (to) go(query.link('trace', { id: to }));
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, [data, query.search]);
  useEffect(() => {
    document.title = `${f.tame(data.trace.name, 80)}, ${f.ms(data.trace.duration_ms)} · apm-agent`;
  }, [data]);
  const none = data.detail === false || (!data.spans.length && !data.samples.length && !data.callgraph);
  return (
    <>
      <Header data={data} path={path} />
      {none && (
        <div class="panel empty">
          <h2 class="title">No timeline for this one</h2>
          <p>
            {data.why_none
              ? f.tame(data.why_none, 400)
              : "It ran no span, and it was shorter than the sampler's interval, so there is nothing to draw."}
          </p>
          <p class="muted">
            Spans and samples are kept for what is slow, failed, first of a release, made the process
            much larger or has an insight, and for an even share of the rest.
          </p>
        </div>
      )}
      <Blocked data={data} />
      {!none && <Timeline data={data} />}
      <Captures data={data} />
      {!none && <Code data={data} />}
      {!none && <Sources data={data} />}
      <div class="columns two">
        <Calls data={data} />
        <Data data={data} />
      </div>
    </>
  );
}
