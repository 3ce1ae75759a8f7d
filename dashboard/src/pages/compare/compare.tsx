/** Compare: what did the release, or this hour, change? */
import { useEffect } from 'preact/hooks';
import type { CompareAnswer } from '../../api/compare.ts';
import { useAnswer } from '../../api/use.ts';
import { Failure, Loaded } from '../../parts/states.tsx';
import { useQuery } from '../../state/query.ts';
import { asked, words } from './address.ts';
import { Endpoints } from './endpoints.tsx';
import { Functions } from './functions.tsx';
import { Header } from './header.tsx';
import { Distribution, Kinds, Statements } from './tables.tsx';

export default function Compare() {
  const query = useQuery();
  const answer = useAnswer<CompareAnswer>('compare', asked(query));
  const { data, error } = answer;
  // what cannot be compared is said between the pickers and nothing else: they are the cure
  if (!data && error)
    return (
      <>
        <Header data={null} path={answer.path} />
        {error.code === 'not_found' ? <Nothing /> : <Failure error={error} what="the comparison" retry={answer.reload} />}
      </>
    );
  return (
    <Loaded answer={answer} what="the comparison" height={600}>
      {(found) => <Content data={found} path={answer.path} />}
    </Loaded>
  );
}

/** Neither side has a call: longer ranges, or the way to what there is. */
function Nothing() {
  const query = useQuery();
  const over = (range: string) => (
    <button type="button" class="button" onClick={() => query.set({ a: `before:${range}`, b: `range:${range}`, by: null })}>
      The last {range} with the {range} before
    </button>
  );
  return (
    <div class="panel empty">
      <h2>Nothing to compare</h2>
      <p>Neither side has a call. Choose other times or releases above, or look further back:</p>
      <p class="row">
        {over('24h')}
        {over('7d')}
        <a class="button" href={query.link('endpoints', { range: '7d', from: null, to: null })}>
          Which endpoints are there?
        </a>
      </p>
    </div>
  );
}

function Content({ data, path }: { data: CompareAnswer; path: string }) {
  useEffect(() => {
    document.title = `${words(data.a.label)} and ${words(data.b.label)} · Compare · apm-agent`;
  }, [data.a.label, data.b.label]);
  const one = data.a.trace || data.b.trace;
  return (
    <>
      <Header data={data} path={path} />
      {one ? (
        <Kinds data={data} />
      ) : (
        <div class="columns two">
          <Distribution data={data} />
          <Kinds data={data} />
        </div>
      )}
      <Functions data={data} />
      <Statements data={data} />
      <Endpoints data={data} />
    </>
  );
}
