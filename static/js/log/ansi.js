// Terminal output as runs of text with classes. Colours stay, every other control is dropped.

// CSI and OSC sequences, then two-character escapes, then control characters that print nothing.
// eslint-disable-next-line no-control-regex
const ESCAPE = /\x1b\[([0-9;:]*)([ -/]*)([@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-Z\\-_]|[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]/g;

const PLAIN = Object.freeze({ fg: "", bg: "", bold: false, dim: false, italic: false, underline: false, inverse: false });

/**
 * What a terminal would still show of a line with carriage returns: the last thing written.
 * A return at the very end rewrites nothing yet.
 */
export function overwritten(text) {
  if (!text.includes("\r")) return text;
  const parts = text.split("\r").filter((part) => part !== "");
  return parts.length ? parts[parts.length - 1] : "";
}

/** Text -> [{text, classes}], classes being a space-separated list ("" for plain text). */
export function runs(text) {
  const found = [];
  let style = { ...PLAIN };
  let from = 0;
  const push = (piece) => {
    if (!piece) return;
    const classes = classesOf(style);
    const last = found[found.length - 1];
    if (last && last.classes === classes) last.text += piece;
    else found.push({ text: piece, classes });
  };
  for (const match of text.matchAll(ESCAPE)) {
    push(text.slice(from, match.index));
    from = match.index + match[0].length;
    if (match[3] === "m" && !match[2]) style = styled(style, match[1]);
  }
  push(text.slice(from));
  return found;
}

/** The text alone, for filters and for the clipboard. */
export function plain(text) {
  return text.replace(ESCAPE, "");
}

function styled(before, parameters) {
  const style = { ...before };
  const codes = parameters.split(/[;:]/).map((code) => Number(code || 0));
  for (let i = 0; i < codes.length; i += 1) {
    const code = codes[i];
    if (code === 0) Object.assign(style, PLAIN);
    else if (code === 1) style.bold = true;
    else if (code === 2) style.dim = true;
    else if (code === 3) style.italic = true;
    else if (code === 4) style.underline = true;
    else if (code === 7) style.inverse = true;
    else if (code === 22) style.bold = style.dim = false;
    else if (code === 23) style.italic = false;
    else if (code === 24) style.underline = false;
    else if (code === 27) style.inverse = false;
    else if (code >= 30 && code <= 37) style.fg = String(code - 30);
    else if (code >= 90 && code <= 97) style.fg = String(code - 90 + 8);
    else if (code === 39) style.fg = "";
    else if (code >= 40 && code <= 47) style.bg = String(code - 40);
    else if (code >= 100 && code <= 107) style.bg = String(code - 100 + 8);
    else if (code === 49) style.bg = "";
    else if (code === 38 || code === 48) {
      const key = code === 38 ? "fg" : "bg";
      if (codes[i + 1] === 5) {
        style[key] = basic(codes[i + 2]);
        i += 2;
      } else if (codes[i + 1] === 2) {
        i += 4; // true colour is not kept: it may be unreadable on this theme
      }
    }
  }
  return style;
}

/** One of the 256 colours -> the nearest of the 16 that the themes define. */
function basic(n) {
  if (!(n >= 0 && n <= 255)) return "";
  if (n < 16) return String(n);
  if (n >= 232) return n < 244 ? "8" : "7";
  const levels = [Math.floor((n - 16) / 36), Math.floor((n - 16) / 6) % 6, (n - 16) % 6];
  const [red, green, blue] = levels.map((level) => (level >= 3 ? 1 : 0));
  const bright = Math.max(...levels) >= 5 ? 8 : 0;
  return String(red + 2 * green + 4 * blue + bright);
}

function classesOf(style) {
  const classes = [];
  if (style.fg) classes.push(`ansi-f${style.fg}`);
  if (style.bg) classes.push(`ansi-b${style.bg}`);
  for (const name of ["bold", "dim", "italic", "underline", "inverse"]) {
    if (style[name]) classes.push(`ansi-${name}`);
  }
  return classes.join(" ");
}
