// Fields of YAML: Tab indents by two blanks, Shift-Tab takes them back, Enter keeps the
// indentation. Escape lets the next Tab leave the field, so that the keyboard is never caught.

const INDENT = "  ";

function replace(field, start, end, text) {
  field.setSelectionRange(start, end);
  field.setRangeText(text, start, end, "end");
}

function lines(field) {
  const start = field.value.lastIndexOf("\n", field.selectionStart - 1) + 1;
  return { start, end: field.selectionEnd, text: field.value.slice(start, field.selectionEnd) };
}

function shift(field, back) {
  const block = lines(field);
  const moved = block.text
    .split("\n")
    .map((line) => (back ? line.replace(/^ {1,2}/, "") : INDENT + line))
    .join("\n");
  field.setRangeText(moved, block.start, block.end, "preserve");
}

function attend(field) {
  let leaving = false;
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      leaving = true;
      return;
    }
    if (event.key === "Tab" && !leaving && !event.ctrlKey && !event.altKey) {
      event.preventDefault();
      const many = field.value.slice(field.selectionStart, field.selectionEnd).includes("\n");
      if (event.shiftKey || many) shift(field, event.shiftKey);
      else replace(field, field.selectionStart, field.selectionEnd, INDENT);
    } else if (event.key === "Enter" && !event.ctrlKey && !event.isComposing) {
      const block = lines(field);
      const blanks = /^ */.exec(block.text)[0];
      if (blanks) {
        event.preventDefault();
        replace(field, field.selectionStart, field.selectionEnd, `\n${blanks}`);
      }
    }
    leaving = false;
  });
  field.addEventListener("blur", () => {
    leaving = false;
  });
}

document.querySelectorAll("textarea[data-yaml]").forEach(attend);
