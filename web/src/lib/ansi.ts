/** Terminal colours as data: text in, styled runs out. The result is rendered as text nodes and never as HTML. */

export interface Run {
  text: string;
  /** Index of the colour, 0 to 15, or null for the default. */
  fg: number | null;
  bold: boolean;
  dim: boolean;
  italic: boolean;
  underline: boolean;
}

type Style = Omit<Run, "text">;

const PLAIN: Style = { fg: null, bold: false, dim: false, italic: false, underline: false };
// CSI and OSC sequences, two-character escapes, and the control characters that have no place in a line.
/* eslint-disable no-control-regex -- escape sequences are made of control characters */
const SEQUENCE =
  /\x1b\[([0-9;:?]*)([@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-Z\\^_]?|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/g;
/* eslint-enable no-control-regex */

export function hasAnsi(text: string): boolean {
  return text.includes("\x1b");
}

/** Splits `text` at its colour codes. Codes that only move the cursor are dropped. */
export function parseAnsi(text: string): Run[] {
  const runs: Run[] = [];
  let style: Style = PLAIN;
  let from = 0;
  const take = (until: number) => {
    if (until > from) runs.push({ text: text.slice(from, until), ...style });
  };
  for (const match of text.matchAll(SEQUENCE)) {
    take(match.index);
    from = match.index + match[0].length;
    if (match[2] === "m") style = applied(style, match[1] ?? "");
  }
  take(text.length);
  return runs;
}

function applied(style: Style, parameters: string): Style {
  const codes = parameters.split(/[;:]/).map(Number);
  let next = style;
  for (let at = 0; at < codes.length; at += 1) {
    const code = codes[at] ?? 0;
    if (code === 38 || code === 48) {
      const [colour, used] = extended(codes, at);
      if (code === 38) next = { ...next, fg: colour };
      at += used;
    } else {
      next = one(next, code);
    }
  }
  return next;
}

function one(style: Style, code: number): Style {
  if (code === 0) return PLAIN;
  if (code === 1) return { ...style, bold: true };
  if (code === 2) return { ...style, dim: true };
  if (code === 3) return { ...style, italic: true };
  if (code === 4) return { ...style, underline: true };
  if (code === 22) return { ...style, bold: false, dim: false };
  if (code === 23) return { ...style, italic: false };
  if (code === 24) return { ...style, underline: false };
  if (code === 39) return { ...style, fg: null };
  if (code >= 30 && code <= 37) return { ...style, fg: code - 30 };
  if (code >= 90 && code <= 97) return { ...style, fg: code - 82 };
  return style;
}

/** 256-colour and true-colour codes, brought down to the sixteen that keep their contrast in both themes. */
function extended(codes: number[], at: number): [number | null, number] {
  if (codes[at + 1] === 5) {
    const index = codes[at + 2] ?? 0;
    return [index < 16 ? index : null, 2];
  }
  return [null, codes[at + 1] === 2 ? 4 : 1];
}
