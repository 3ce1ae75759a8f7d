/** An error's type and message, and its key figures. */
import type { ErrorAnswer } from '../../api/errors.ts';
import { Name } from '../../parts/bits.tsx';
import { Figures } from '../../parts/figures.tsx';
import { PlaceLink } from '../../parts/source.tsx';
import { useQuery } from '../../state/query.ts';
import * as f from '../../text/format.ts';
import { shortType } from './errors.tsx';

export function Header({ data, path }: { data: ErrorAnswer; path: string }) {
  const query = useQuery();
  const { error, messages } = data;
  const releases = error.releases.map(({ release, count }) => `${f.whole(count)} in ${release ? f.tame(release, 30) : 'none'}`).join(', ');
  return (
    <section class="panel" aria-labelledby="error-title">
      <div class="headline">
        <div>
          <h1 id="error-title" class="names">
            <span class="route errortype" dir="ltr" title={f.tame(error.type, 300)}>
              {f.tame(shortType(error.type), 120)}
            </span>
          </h1>
          {error.message && (
            <p class="message" dir="auto">
              {f.tame(error.message, 600)}
            </p>
          )}
          <div class="meta">
            {error.file !== null && (
              <span>
                <i>raised at</i>
                <PlaceLink place={{ file: error.file, line: error.line ?? 0, function: error.function }} />
              </span>
            )}
            {error.endpoints.slice(0, 4).map((endpoint) => (
              <span key={`${endpoint.service} ${endpoint.kind} ${endpoint.name}`} class="names">
                <i>in</i>
                <Name
                  method={null}
                  route={null}
                  name={endpoint.name}
                  href={query.link('endpoint', { name: endpoint.name, kind: endpoint.kind, service: endpoint.service })}
                />
                <span class="muted num">{f.whole(endpoint.count)}</span>
              </span>
            ))}
          </div>
        </div>
        <div class="actions">
          <a class="button" href={`api/v1/${path}`}>
            JSON
          </a>
        </div>
      </div>
      <Figures
        figures={[
          { label: 'Failures', tip: 'Calls and jobs that failed so, in this range', value: f.whole(error.count) },
          { label: 'Endpoints', tip: 'Endpoints and jobs that failed so', value: f.whole(error.endpoint_count) },
          { label: 'First seen', tip: 'The first of them in this range', value: f.ago(error.first), note: f.moment(error.first) },
          { label: 'Last seen', tip: 'The latest of them', value: f.ago(error.last), note: f.moment(error.last) },
          {
            label: 'First release',
            tip: 'Release of the first of them in this range; below, how many in each',
            value: error.first_release ? f.tame(error.first_release, 20) : f.NONE,
            note: releases,
          },
        ]}
      />
      {messages.length > 1 && (
        <details class="messages">
          <summary>{messages.length === 10 ? 'The 10 most frequent messages' : `${messages.length} messages`}</summary>
          <ul>
            {messages.map(({ message, count }) => (
              <li key={message}>
                <span class="num muted">{f.whole(count)}</span> <span dir="auto">{f.tame(message, 300)}</span>
              </li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}
