/** What the pictures share: text and shapes as SVG, colours, and the numbers on axes. */

/** Of the monospaced 12 px text. */
export const CHARACTER_WIDTH = 7.3;

/** Light enough for dark text on them, and neighbours tell apart. */
export const COLORS = [
  "#7fb2f0",
  "#f5b26b",
  "#8fd19e",
  "#e99aa8",
  "#c3a6e8",
  "#6fcfd0",
  "#e6d36a",
  "#c9a58a",
  "#a9c34f",
  "#f09bd4",
  "#9aa9c7",
  "#e0866b",
] as const;

const TEXT_STYLE = [
  "text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#1f2430}",
  ".title{font-size:18px;font-weight:600}",
  ".phase{font-size:15px;font-weight:600}",
  ".muted{fill:#5b6472}",
  ".end{text-anchor:end}",
  ".middle{text-anchor:middle}",
  ".lane{fill:#f4f6f9}",
  ".tick{stroke:#d5dae2}",
].join("");

const escapeXml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

/** A coordinate with as many digits as can be seen. */
export const round = (value: number): string => String(Number(value.toFixed(2)));

/** `text`, cut to so many characters. */
export function shorten(text: string, characters: number): string {
  return text.length <= characters ? text : `${text.slice(0, Math.max(0, characters - 1))}…`;
}

export function text(x: number, y: number, content: string, className = ""): string {
  const attribute = className === "" ? "" : ` class="${className}"`;
  return `<text x="${round(x)}" y="${round(y)}"${attribute}>${escapeXml(content)}</text>`;
}

/** Shapes that share a tooltip. */
export function withTooltip(tooltip: string, ...parts: readonly string[]): string {
  return `<g><title>${escapeXml(tooltip)}</title>${parts.join("")}</g>`;
}

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** `fill="…"` or `class="…"`. */
  readonly paint: string;
  readonly tooltip?: string;
}

export function rectangle({ x, y, width, height, paint, tooltip }: Box): string {
  const box = `x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}"`;
  if (tooltip === undefined) return `<rect ${box} ${paint}/>`;
  return `<rect ${box} ${paint}><title>${escapeXml(tooltip)}</title></rect>`;
}

export function line(x1: number, y1: number, x2: number, y2: number, paint: string): string {
  const ends = `x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}"`;
  return `<line ${ends} ${paint}/>`;
}

/** Distance of at most `count` ticks over `length`: 1, 2 or 5 times a power of ten. */
export function tickStep(length: number, count: number): number {
  const power = 10 ** Math.floor(Math.log10(length / count));
  const factor = [1, 2, 5, 10].find((candidate) => candidate * power * count >= length);
  return (factor ?? 10) * power;
}

/** A whole document of these parts. `style` adds to what texts and axes have. */
export function svgDocument(
  { title, width, height, style }: { title: string; width: number; height: number; style: string },
  parts: readonly string[],
): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" ` +
      `viewBox="0 0 ${width} ${height}" style="max-width:100%;height:auto">`,
    `<title>${escapeXml(title)}</title>`,
    `<style>${TEXT_STYLE}${style}</style>`,
    `<rect width="${width}" height="${height}" fill="#fff" style="pointer-events:none"/>`,
    ...parts,
    "</svg>\n",
  ].join("\n");
}
