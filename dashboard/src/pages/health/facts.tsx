/** Names with their values. */

export type Fact = [name: string, value: string, tip?: string, tone?: string];

export function Facts({ facts }: { facts: Fact[] }) {
  return (
    <dl class="facts">
      {facts.map(([name, value, tip, tone]) => (
        <div key={name}>
          <dt data-tip={tip}>{name}</dt>
          <dd class={tone ?? ''}>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
