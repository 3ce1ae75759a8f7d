/** What `endpoint` answers. */
import type {
  Common,
  EndpointRow,
  HeatmapData,
  HistogramData,
  HotLine,
  Insight,
  Kinds,
  Series,
  SourceBlock,
  Statement,
  TraceRow,
} from './types.ts';

export interface Band {
  count: number;
  mean_ms: number | null;
  kinds: Kinds;
}

export interface EndpointAnswer extends Common {
  endpoint: EndpointRow;
  series: Series;
  heatmap: HeatmapData;
  histogram: HistogramData;
  bands: Partial<Record<'fast' | 'typical' | 'slow', Band>>;
  insights: Insight[];
  hot_lines: HotLine[];
  source: SourceBlock[];
  statements: Statement[];
  traces: TraceRow[];
  memory: { exclusive: number; mean_kb: number | null; p50_kb: number | null; max_kb: number | null };
  profile_url: string | null;
}
