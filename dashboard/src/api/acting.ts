/** What the API answers about acting: what this dashboard offers, and who wrote a line. */
import type { Common } from './types.ts';

export interface Export {
  format: string;
  opens: string;
  /** what it can be written from */
  takes: ('profile' | 'callgraph' | 'record')[];
}

export interface SiteAnswer extends Common {
  editor: { link: string; paths: Record<string, string> } | null;
  blame: boolean;
  exports: Export[];
  files: { pages: string[]; bytes: number | null };
}

export interface BlameAnswer extends Common {
  file: string;
  line: number;
  blame: { commit: string; author: string; at: number | null; subject: string; boundary: boolean } | null;
  why_none: string | null;
}
