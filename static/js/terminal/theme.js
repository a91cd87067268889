// The terminal's colours are the log's: from the variables of the theme that is shown.
const NAMES = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

/** An ITheme for xterm.js from the variables of an element. */
export function coloursOf(element) {
  const style = getComputedStyle(element);
  const value = (name) => style.getPropertyValue(name).trim();
  const theme = {
    background: value("--fl-log-bg"),
    foreground: value("--fl-log-fg"),
    cursor: value("--fl-log-fg"),
    cursorAccent: value("--fl-log-bg"),
    selectionBackground: value("--fl-log-mark"),
  };
  NAMES.forEach((name, number) => {
    theme[name] = value(`--a${number}`);
    theme[`bright${name[0].toUpperCase()}${name.slice(1)}`] = value(`--a${number + 8}`);
  });
  return theme;
}
