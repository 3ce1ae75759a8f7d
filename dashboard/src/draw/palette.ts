/** Colours for canvases: read from the style sheet, so that both themes have one source. */

export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

const RAMP = ['--h0', '--h1', '--h2', '--h3', '--h4', '--h5'];

/** Sixty-four steps from few to many. */
export function heatRamp(): string[] {
  const stops = RAMP.map((name) => channels(colour(name)));
  return Array.from({ length: 64 }, (_, i) => {
    const at = (i / 63) * (stops.length - 1);
    const low = Math.min(stops.length - 2, Math.floor(at));
    return `rgb(${stops[low]!.map((value, c) => Math.round(value + (stops[low + 1]![c]! - value) * (at - low))).join()})`;
  });
}

const channels = (hex: string): number[] => [1, 3, 5].map((i) => Number.parseInt(hex.slice(i, i + 2), 16));

/** A canvas of this size in CSS pixels, sharp on any screen, cleared. */
export function prepare(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D {
  const ratio = devicePixelRatio || 1;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  }
  const context = canvas.getContext('2d')!;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

/** Diagonal strokes: what is uncertain or lost is hatched, so that it shows without colour. */
export function hatch(context: CanvasRenderingContext2D, ink: string): CanvasPattern {
  const tile = document.createElement('canvas');
  tile.width = tile.height = 6;
  const brush = tile.getContext('2d')!;
  brush.strokeStyle = ink;
  brush.lineWidth = 1.4;
  brush.beginPath();
  for (const shift of [-6, 0, 6]) {
    brush.moveTo(shift, 6);
    brush.lineTo(shift + 6, 0);
  }
  brush.stroke();
  return context.createPattern(tile, 'repeat')!;
}
