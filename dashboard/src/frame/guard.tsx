/** A page that cannot be drawn says so, and the frame around it stays. */
import { Component, type ComponentChildren } from 'preact';
import { ApiError } from '../api/client.ts';
import { Failure } from '../parts/states.tsx';

export class Guard extends Component<{ children: ComponentChildren }, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static override getDerivedStateFromError(error: Error): { error: Error } {
    return { error };
  }

  override componentDidCatch(error: Error): void {
    console.error(error);
  }

  override render() {
    const { error } = this.state;
    if (!error) return this.props.children;
    return (
      <Failure
        error={new ApiError(0, 'drawing', error.message)}
        what="this page: it could not be drawn"
        retry={() => location.reload()}
      />
    );
  }
}
