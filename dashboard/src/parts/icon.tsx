/** Line icons, one path each. */

const PATHS: Record<string, string> = {
  endpoints: 'M4 6h16M4 12h11M4 18h6',
  jobs: 'M4 8h16v11H4zM9 8V5h6v3M4 13h16',
  traces: 'M3 5h9M7 10h10M11 15h10M5 20h6',
  health: 'M20 12a8 8 0 1 1-3-6.2M20 4v4h-4',
  overview: 'M3 12h4l3-8 4 16 3-8h4',
  memory: 'M7 7h10v10H7zM9 3v4M15 3v4M9 17v4M15 17v4M3 9h4M3 15h4M17 9h4M17 15h4',
  error: 'M12 3 2 20h20zM12 10v4M12 17v.5',
  live: 'M12 12m-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0M7 7a7 7 0 0 0 0 10M17 7a7 7 0 0 1 0 10',
  theme: 'M12 8a4 4 0 1 0 0 8a4 4 0 0 0 0-8M12 2v3M12 19v3M2 12h3M19 12h3M5 5l2 2M17 17l2 2M5 19l2-2M17 7l2-2',
  search: 'M10.5 4a6.5 6.5 0 1 0 0 13a6.5 6.5 0 0 0 0-13M15.5 15.5 21 21',
  down: 'M6 9l6 6 6-6',
  right: 'M9 6l6 6-6 6',
  left: 'M15 6l-6 6 6 6',
  repeat: 'M4 11a8 8 0 0 1 14-4l2 2M20 4v5h-5M20 13a8 8 0 0 1-14 4l-2-2M4 20v-5h5',
  export: 'M12 15V3M8 11l4 4 4-4M4 16v5h16v-5',
  info: 'M12 3a9 9 0 1 0 0 18a9 9 0 0 0 0-18M12 11v5M12 7.5v.5',
  clock: 'M12 3a9 9 0 1 0 0 18a9 9 0 0 0 0-18M12 7v5l3 2',
  columns: 'M4 5h16v14H4zM10 5v14M15 5v14',
  close: 'M6 6l12 12M18 6 6 18',
  database: 'M4 6c0-3 16-3 16 0s-16 3-16 0v12c0 3 16 3 16 0V6M4 12c0 3 16 3 16 0',
  code: 'M8 7l-5 5 5 5M16 7l5 5-5 5',
  edit: 'M4 20h4L19 9l-4-4L4 16zM13 7l4 4',
  person: 'M12 4a4 4 0 1 0 0 8a4 4 0 0 0 0-8M5 20c0-4 3-6 7-6s7 2 7 6',
  copy: 'M9 9h11v11H9zM15 9V4H4v11h5',
  split: 'M12 4v6M12 10 6 20M12 10l6 10',
  compare: 'M6 4v16M18 4v16M3 8h6M3 14h6M15 10h6M15 16h6',
  pause: 'M9 5v14M15 5v14',
  play: 'M8 5l11 7-11 7z',
  swap: 'M4 8h15M15 4l4 4-4 4M20 16H5M9 12l-4 4 4 4',
  help: 'M9 9a3 3 0 1 1 4.2 2.7c-.8.4-1.2 1-1.2 1.8v.5M12 17.5v.5',
};

export function Icon({ name, tone = '' }: { name: string; tone?: string }) {
  return (
    <svg class={`icon ${tone}`} viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name] ?? PATHS['info']} />
    </svg>
  );
}
