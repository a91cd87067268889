// A list of a million rows with about a hundred in the document: rows of one height, those in
// sight drawn, the rest a tall empty box.
import { overwritten, runs } from "./ansi.js";

export const ROW = 20; // pixels; --fl-log-row in flotilla.css
const SPARE = 30; // rows drawn above and below those in sight
const TALLEST = 8_000_000; // browsers cannot lay out taller boxes: beyond it scrolling is scaled
const LONGEST = 1000; // characters of a line drawn in its row

/** Where the first row in sight lies, for a scroll position; `before` is the last {scroll, top}. */
export function topRow({ scroll, height, view, count, before }) {
  const rows = view / ROW;
  const most = Math.max(0, count - rows);
  const range = height - view;
  if (count * ROW <= TALLEST) return Math.min(most, scroll / ROW);
  if (scroll <= 0) return 0;
  if (scroll >= range - 1) return most;
  const moved = scroll - before.scroll;
  // A small movement scrolls by rows, a large one (the scroll bar) by share.
  if (Math.abs(moved) < view * 2) return Math.min(most, Math.max(0, before.top + moved / ROW));
  return (scroll / range) * most;
}

export class LogView {
  /** box: the scrolling element; on: {look(first, last), follow(on), expand(line)}. */
  constructor(box, model, { words, on, times = false }) {
    Object.assign(this, { box, model, words, on, times });
    this.stopped = false;
    this.space = document.createElement("div");
    this.space.className = "fl-log-space";
    this.rows = document.createElement("div");
    this.rows.className = "fl-log-rows";
    this.space.append(this.rows);
    box.replaceChildren(this.space);
    this.drawn = new Map(); // row index -> element
    this.before = { scroll: 0, top: 0 };
    this.following = true;
    this.marked = 0;
    this.frame = 0;
    this.expected = -1;
    this.scrolled = () => this.#scrolled();
    box.addEventListener("scroll", this.scrolled, { passive: true });
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(box);
  }

  /** Another view takes the box over. */
  close() {
    this.stopped = true;
    this.observer.disconnect();
    this.box.removeEventListener("scroll", this.scrolled);
  }

  /** Show another model (a filter was set or cleared); keeps the line in sight where it can. */
  show(model, seq) {
    this.model = model;
    this.clear();
    if (this.following) this.draw();
    else this.scrollTo(seq);
  }

  clear() {
    this.drawn.clear();
    this.rows.replaceChildren();
  }

  get height() {
    return Math.min(TALLEST, this.model.count * ROW);
  }

  /** The number of the first line in sight. */
  get firstSeq() {
    return this.model.seqAt(Math.floor(this.before.top));
  }

  follow(on) {
    if (this.following === on) {
      if (on) this.draw();
      return;
    }
    this.following = on;
    this.on.follow(on);
    if (on) this.draw();
  }

  /** Put a line a third down the box. */
  scrollTo(seq, mark = false) {
    if (mark) this.marked = seq;
    this.follow(false);
    const index = this.model.indexOf(seq);
    this.place(Math.max(0, index - Math.floor(this.box.clientHeight / ROW / 3)));
    for (const row of this.drawn.values()) {
      row.classList.toggle("fl-log-marked", Number(row.dataset.seq) === this.marked);
    }
  }

  /** Rows came in above: keep what is in sight where it is. */
  shift(rows) {
    const top = this.before.top + rows;
    this.clear();
    if (this.following) this.draw();
    else this.place(top);
  }

  place(top) {
    const view = this.box.clientHeight;
    this.space.style.height = `${this.height}px`;
    const most = Math.max(1, this.model.count - view / ROW);
    const scaled = this.model.count * ROW > TALLEST;
    const range = this.height - view;
    const wanted = scaled ? Math.min(1, top / most) * range : top * ROW;
    this.box.scrollTop = wanted;
    this.expected = this.box.scrollTop;
    this.before = { scroll: this.box.scrollTop, top: Math.min(top, most) };
    this.#paint();
  }

  #scrolled() {
    const scroll = this.box.scrollTop;
    if (Math.abs(scroll - this.expected) < 1) {
      this.expected = -1;
      return;
    }
    const top = topRow({
      scroll,
      height: this.height,
      view: this.box.clientHeight,
      count: this.model.count,
      before: this.before,
    });
    const up = scroll < this.before.scroll - 1;
    this.before = { scroll, top };
    const atEnd = scroll >= this.height - this.box.clientHeight - 2;
    if (up && this.following) this.follow(false);
    else if (atEnd && !this.following && !this.selecting) this.follow(true);
    this.#soon();
  }

  /** Whether text in the log is selected: then the rows under it stay. */
  get selecting() {
    const selection = getSelection();
    return !selection.isCollapsed && this.box.contains(selection.anchorNode);
  }

  /** Draw soon, at most once for each frame, however often it is called. */
  draw() {
    this.#soon();
  }

  #soon() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      if (!this.stopped) this.#update();
    });
  }

  #update() {
    this.space.style.height = `${this.height}px`;
    if (this.following && !this.selecting) {
      this.box.scrollTop = this.height;
      this.expected = this.box.scrollTop;
      const rows = this.box.clientHeight / ROW;
      this.before = { scroll: this.box.scrollTop, top: Math.max(0, this.model.count - rows) };
    }
    this.#paint();
  }

  #paint() {
    const { top, scroll } = this.before;
    const rows = Math.ceil(this.box.clientHeight / ROW);
    const first = Math.max(0, Math.floor(top) - SPARE);
    const last = Math.min(this.model.count - 1, Math.floor(top) + rows + SPARE);
    for (const [index, row] of this.drawn) {
      if (index < first || index > last) {
        row.remove();
        this.drawn.delete(index);
      }
    }
    let next = this.rows.firstChild;
    for (let index = first; index <= last; index += 1) {
      let row = this.drawn.get(index);
      const line = this.model.at(index);
      if (row && line && row.dataset.empty) {
        const filled = this.#row(index, line);
        row.replaceWith(filled);
        if (next === row) next = filled;
        row = filled;
        this.drawn.set(index, row);
      } else if (!row) {
        row = this.#row(index, line);
        this.drawn.set(index, row);
        this.rows.insertBefore(row, next);
      }
      if (row === next) next = row.nextSibling;
    }
    this.rows.style.transform = `translateY(${Math.round(scroll - (top - first) * ROW)}px)`;
    this.on.look(first, last);
  }

  #row(index, line) {
    const seq = line?.seq ?? this.model.seqAt(index);
    const row = lineRow(line, seq, this);
    if (seq === this.marked) row.classList.add("fl-log-marked");
    return row;
  }
}

/**
 * A line as an element; without a line, an empty one until it comes.
 * line.label stands for its host where there is one, line.tone (0 to 5) colours it.
 */
export function lineRow(line, seq, { words, on, times = false, longest = LONGEST }) {
  const row = document.createElement("div");
  row.className = "fl-log-line";
  row.dataset.seq = seq;
  const number = document.createElement("a");
  number.className = "fl-log-number";
  number.href = `#L${seq}`;
  number.textContent = seq;
  number.tabIndex = -1;
  const text = document.createElement("span");
  text.className = "fl-log-text";
  row.append(number, text);
  if (!line) {
    row.dataset.empty = "1";
    text.textContent = "…";
    return row;
  }
  const where = document.createElement("span");
  where.className = line.tone === undefined ? "fl-log-host" : `fl-log-host fl-log-tone${line.tone}`;
  where.textContent = line.label ?? (line.host || words.console);
  where.title = `${line.step || line.source || ""} ${line.time}`.trim();
  number.after(where);
  if (times) {
    const time = document.createElement("span");
    time.className = "fl-log-time";
    time.textContent = line.time.slice(0, 23).replace("T", " ");
    where.before(time);
  }
  if (line.stream === "stderr") row.classList.add("fl-log-stderr");
  if (line.stream === "console" || line.stream === "event") row.classList.add("fl-log-note");
  fill(text, line, { words, on, longest });
  return row;
}

function fill(element, line, { words, on, longest }) {
  const shown = overwritten(line.text);
  drawRuns(element, shown.length > longest ? shown.slice(0, longest) : shown);
  if (shown.length <= longest && shown === line.text) return;
  const more = document.createElement("button");
  more.type = "button";
  more.className = "fl-log-more";
  more.textContent = words.whole;
  more.addEventListener("click", () => on.expand(line));
  element.append(" ", more);
}

/** Text with colours as child nodes: text nodes only, so that output can never be markup. */
export function drawRuns(element, text) {
  for (const { text: piece, classes } of runs(text)) {
    if (!classes) {
      element.append(piece);
      continue;
    }
    const span = document.createElement("span");
    span.className = classes;
    span.textContent = piece;
    element.append(span);
  }
}
