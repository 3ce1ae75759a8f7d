/** What `live` answers: what is in flight now, and how far a capture of the next seconds is. */
import type { ProfileAnswer } from './profile.ts';
import type { Common, Frame } from './types.ts';

export interface Stacked {
  thread: string;
  task: string | null;
  stack_state: string;
  /** outermost first */
  stack: Frame[];
  cut: number;
}

export interface Flight extends Stacked {
  id: string;
  name: string;
  kind: string;
  service: string;
  host: string;
  pid: number;
  path: string | null;
  age_ms: number;
  /** running, waiting, or the kind of the span it is in */
  state: string;
  span: { kind: string; name: string; age_ms: number } | null;
  p95_ms: number | null;
  also: Stacked[];
}

export interface Worker {
  host: string;
  pid: number;
  service: string;
  answers: boolean;
  in_flight: number;
  written_at: number | null;
  last_seen: number | null;
  cost_share: number | null;
}

export interface Capture {
  id: string;
  asked_at: number | null;
  seconds: number | null;
  done: boolean;
  processes: { host: string; pid: number; service: string; done: boolean; samples: number; sampled_ms: number }[];
  profile: ProfileAnswer | null;
}

export interface LiveAnswer extends Common {
  asked_until: number | null;
  recent: { minutes: number; count: number; errors: number; per_min: number };
  capture: Capture | null;
  processes: Worker[];
  in_flight: Flight[];
}

export interface Asked {
  asked_until: number;
  capture: { id: string; seconds: number; at: number } | null;
}
