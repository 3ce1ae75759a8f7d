/** Draws a flame graph on a canvas, root on top; the cost of a draw is the frames in view, not all frames. */
import * as f from '../text/format.ts';
import { SLIGHT, changeOf, changePaint } from './difference.ts';
import { type Box, type FlameLayout, type FlameTree, boxes, layout, lowest, matches, matchedShare } from './flame-layout.ts';
import { colour, prepare } from './palette.ts';

const ROW = 19;
const PAD = 6;
const CATEGORIES = ['app', 'lib', 'std', 'db', 'http', 'wait', 'gc'];

export class FlameCanvas {
  onDescribe: (text: string) => void = () => {};
  onZoom: (zoomed: boolean) => void = () => {};
  #host: HTMLElement;
  #canvas: HTMLCanvasElement;
  #tip: HTMLElement;
  #tree: FlameLayout = layout({ label: [], place: [], category: [], parent: [], total: [], own: [] });
  #boxes: Box[] = [];
  #zoom = 0;
  #cursor = 0;
  #hover = -1;
  #wanted = '';
  #watch: ResizeObserver;

  constructor(host: HTMLElement, canvas: HTMLCanvasElement, tip: HTMLElement) {
    this.#host = host;
    this.#canvas = canvas;
    this.#tip = tip;
    this.#watch = new ResizeObserver(() => this.draw());
    this.#watch.observe(host);
    canvas.addEventListener('pointermove', (event) => this.#point(event));
    canvas.addEventListener('pointerleave', () => this.#leave());
    canvas.addEventListener('click', (event) => this.#click(event));
    canvas.addEventListener('keydown', (event) => this.#key(event));
    canvas.addEventListener('focus', () => this.draw());
    canvas.addEventListener('blur', () => this.draw());
  }

  destroy(): void {
    this.#watch.disconnect();
  }

  /** New data keeps the zoom where the same path still exists. */
  show(tree: FlameTree): void {
    const path = this.#path(this.#zoom);
    this.#tree = layout(tree);
    this.#zoom = this.#cursor = this.#find(path);
    this.draw();
  }

  /** Marks frames that match and returns their share of all time. */
  search(text: string): number {
    this.#wanted = text.trim().toLowerCase();
    this.draw();
    return matchedShare(this.#tree, this.#wanted);
  }

  zoom(index: number): void {
    if (index < 0) return;
    this.#zoom = this.#cursor = index;
    this.draw();
    this.onDescribe(this.describe(index));
    this.onZoom(index > 0);
  }

  describe(index: number): string {
    const tree = this.#tree;
    const share = tree.total[index]! / (tree.total[0] || 1);
    const was = (measure: 'own' | 'total') =>
      tree.was ? `, was ${f.ms(tree.was[measure][index])}: ${f.signed(tree[measure][index]! - tree.was[measure][index]!)}` : '';
    return [
      tree.label[index],
      tree.place[index],
      `total ${f.ms(tree.total[index])} (${f.percent(share)})${was('total')}`,
      `own ${f.ms(tree.own[index])}${was('own')}`,
    ]
      .filter(Boolean)
      .join(' · ');
  }

  draw(): void {
    const width = this.#host.clientWidth;
    if (!width || !this.#tree.parent.length) return;
    this.#boxes = boxes(this.#tree, this.#zoom, width, ROW);
    const c = prepare(this.#canvas, width, lowest(this.#boxes) + ROW);
    c.font = `11.5px ${colour('--sans')}`;
    c.textBaseline = 'middle';
    const paint = Object.fromEntries(
      CATEGORIES.map((name) => [name, [colour(`--fl-${name}`), colour(`--fl-${name}-ink`)] as const]),
    );
    const change = this.#tree.was && changePaint();
    const [dim, faint, ink, hit] = [colour('--fl-dim'), colour('--ink-3'), colour('--ink'), colour('--fl-hit')];
    const focused = document.activeElement === this.#canvas;
    for (const { index, x, y, width: wide, above } of this.#boxes) {
      const matched = this.#wanted !== '' && matches(this.#tree, index, this.#wanted);
      const [fill, text] =
        this.#wanted && !matched
          ? [dim, faint]
          : change
            ? [change(changeOf(this.#tree, index)), ink]
            : (paint[this.#tree.category[index]!] ?? paint['lib']!);
      const inner = Math.max(0.6, wide - 1);
      c.globalAlpha = above ? 0.5 : 1;
      c.fillStyle = fill;
      c.fillRect(x, y, inner, ROW - 1);
      c.globalAlpha = 1;
      if (matched) {
        c.fillStyle = hit;
        c.fillRect(x, y + ROW - 4, inner, 3);
      }
      if (index === this.#hover || (index === this.#cursor && focused)) {
        c.strokeStyle = ink;
        c.lineWidth = 1.5;
        c.strokeRect(x + 0.75, y + 0.75, Math.max(1, wide - 2.5), ROW - 2.5);
      }
      if (wide > 26) this.#write(c, index, x, y, wide, text);
    }
  }

  #write(c: CanvasRenderingContext2D, index: number, x: number, y: number, wide: number, ink: string): void {
    const left = Math.max(0, x) + PAD;
    const room = x + wide - PAD - left;
    const label = this.#arrow(index) + this.#tree.label[index]!;
    const place = this.#tree.place[index]!;
    c.save();
    c.beginPath();
    c.rect(left, y, room, ROW);
    c.clip();
    c.fillStyle = ink;
    c.fillText(label, left, y + ROW / 2);
    const used = place && room > 60 ? c.measureText(label).width + 7 : room;
    if (used < room - 20) {
      c.globalAlpha = 0.75;
      c.fillText(place, left + used, y + ROW / 2);
    }
    c.restore();
  }

  /** A change is said without colour too. */
  #arrow(index: number): string {
    const change = this.#tree.was ? changeOf(this.#tree, index) : 0;
    return Math.abs(change) < SLIGHT ? '' : change > 0 ? '↑ ' : '↓ ';
  }

  #path(index: number): string[] {
    const names: string[] = [];
    for (let i = index; i > 0; i = this.#tree.parent[i]!) names.unshift(this.#tree.label[i]! + this.#tree.place[i]!);
    return names;
  }

  #find(path: string[]): number {
    let at = 0;
    for (const name of path) {
      const next = this.#tree.kids[at]?.find((kid) => this.#tree.label[kid]! + this.#tree.place[kid]! === name);
      if (next === undefined) return 0;
      at = next;
    }
    return at;
  }

  #at(event: MouseEvent): number {
    const { offsetX: x, offsetY: y } = event;
    return this.#boxes.findLast((box) => y >= box.y && y < box.y + ROW && x >= box.x && x < box.x + box.width)?.index ?? -1;
  }

  #point(event: PointerEvent): void {
    const index = this.#at(event);
    if (index !== this.#hover) {
      this.#hover = index;
      this.draw();
    }
    this.#tip.hidden = index < 0;
    if (index < 0) return;
    this.#tip.textContent = this.describe(index);
    this.#tip.style.left = `${Math.max(0, Math.min(event.offsetX + 12, this.#host.clientWidth - this.#tip.offsetWidth - 4))}px`;
    this.#tip.style.top = `${event.offsetY + 18}px`;
  }

  #leave(): void {
    this.#hover = -1;
    this.#tip.hidden = true;
    this.draw();
  }

  #click(event: MouseEvent): void {
    const index = this.#at(event);
    if (index >= 0) this.zoom(index === this.#zoom ? this.#tree.parent[index]! : index);
  }

  #key(event: KeyboardEvent): void {
    const to = this.#target(event.key);
    if (to === null) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === 'Enter' || event.key === 'Escape') {
      this.zoom(to);
      return;
    }
    this.#cursor = to;
    this.draw();
    this.onDescribe(this.describe(to));
  }

  #target(key: string): number | null {
    const at = this.#cursor;
    const parent = at ? this.#tree.parent[at]! : 0;
    const siblings = at ? this.#tree.kids[parent]! : [0];
    const place = siblings.indexOf(at);
    switch (key) {
      case 'ArrowDown':
        return this.#tree.kids[at]?.[0] ?? at;
      case 'ArrowUp':
        return parent;
      case 'ArrowRight':
        return siblings[Math.min(place + 1, siblings.length - 1)] ?? at;
      case 'ArrowLeft':
        return siblings[Math.max(place - 1, 0)] ?? at;
      case 'Enter':
        return at;
      case 'Escape':
        return this.#zoom || this.#cursor ? 0 : null;
      default:
        return null;
    }
  }
}
