/** What `profile` answers. */
export interface ProfileAnswer {
  frames: { function: string[]; file: string[]; line: number[]; category: string[] };
  nodes: { parent: number[]; frame: number[]; total_ns: number[]; own_ns: number[] };
  total_ns: number;
  count: number;
  transactions: number;
  pruned_ns: number;
  clock: Clock;
  /** of the time, how much has a processor time that is not known */
  unclocked_ns: number;
}

/** Time that passed, or processor time. */
export type Clock = 'wall' | 'cpu';
