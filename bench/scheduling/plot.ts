/** What is drawn of one run. */
interface Point {
  readonly load: number;
  readonly contestant: string;
  readonly ttftP99Ms: number;
}

const width = 720;
const height = 400;
const left = 80;
const right = 200;
const top = 30;
const bottom = 50;
const colours = ["#0b6e4f", "#c44536", "#d98e04", "#6c757d"];

/** Draws p99 of the time to the first token over load, both on logarithmic axes, as an SVG document. */
export function plot(points: readonly Point[]): string {
  const loads = [...new Set(points.map(({ load }) => load))];
  const logs = points.map(({ ttftP99Ms }) => Math.log10(Math.max(1, ttftP99Ms)));
  const [low, high] = [Math.floor(Math.min(...logs)), Math.ceil(Math.max(...logs))];
  const x = (load: number): number =>
    left + (Math.max(0, loads.indexOf(load)) / Math.max(1, loads.length - 1)) * (width - left - right);
  const y = (log: number): number =>
    height - bottom - ((log - low) / Math.max(1, high - low)) * (height - top - bottom);
  const text = (atX: number, atY: number, what: string, anchor = "middle"): string =>
    `<text x="${atX.toFixed(1)}" y="${atY.toFixed(1)}" text-anchor="${anchor}">${what}</text>`;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    text((width - right + left) / 2, 18, "p99 time to the first token, equal cloud spend"),
    text((width - right + left) / 2, height - 10, "load ÷ local capacity"),
  ];
  for (let log = low; log <= high; log++) {
    const line = `<line x1="${left}" x2="${width - right}" y1="${y(log)}" y2="${y(log)}" stroke="#ddd"/>`;
    parts.push(line, text(left - 8, y(log) + 4, log >= 3 ? `${10 ** (log - 3)} s` : `${10 ** log} ms`, "end"));
  }
  for (const load of loads) parts.push(text(x(load), height - bottom + 20, `${load}×`));
  [...new Set(points.map(({ contestant }) => contestant))].forEach((contestant, at) => {
    const colour = colours[at % colours.length];
    const own = points.filter((point) => point.contestant === contestant);
    const path = own.map(
      (point) => `${x(point.load).toFixed(1)},${y(Math.log10(Math.max(1, point.ttftP99Ms))).toFixed(1)}`,
    );
    parts.push(
      `<polyline points="${path.join(" ")}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      `<rect x="${width - right + 15}" y="${top + at * 22}" width="12" height="12" fill="${colour}"/>`,
      text(width - right + 34, top + 10 + at * 22, contestant, "start"),
    );
  });
  return `${[...parts, "</svg>"].join("\n")}\n`;
}
