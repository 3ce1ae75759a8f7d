/** What `errors` and `error` answer. */
import type { Common, TraceRow } from './types.ts';

export interface ErrorRow {
  type: string;
  message: string | null;
  file: string | null;
  line: number | null;
  function: string | null;
  /** the id of the own line; null where no detail says it */
  frame: string | null;
  count: number;
  first: number;
  last: number;
  first_release: string | null;
  endpoint_count: number;
  endpoints: { name: string; kind: string; service: string; count: number }[];
  releases: { release: string | null; count: number }[];
  traces: string[];
  spark: number[];
}

export interface ErrorsAnswer extends Common {
  errors: ErrorRow[];
  groups: number;
  /** failures in these groups, and failures there were at all */
  failed: number;
  of: number;
  more: boolean;
  cursor: string | null;
  services: string[];
  releases: string[];
}

export interface StackFrame {
  function: string;
  file: string;
  line: number;
  category: string;
  source: string | null;
  changed: boolean;
  lines: { number: number; text: string }[];
}

export interface SharedValue {
  attribute: string;
  value: string;
  inside: number;
  outside: number | null;
  inside_count: number;
  outside_count: number;
  /** not by chance */
  sure: boolean;
}

export interface ErrorAnswer extends Common {
  error: ErrorRow;
  /** outermost first */
  stack: StackFrame[];
  messages: { message: string; count: number }[];
  series: { t: number[]; step: number; count: number[] };
  shared: { values: SharedValue[]; inside: number; outside: number; thin: boolean };
  traces: TraceRow[];
  log: { t_ms: number; level: string; logger: string; text: string }[];
  /** the transaction whose stack and log these are */
  of: string | null;
}
