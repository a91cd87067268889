// The newest lines in full, wrapped: rows of any height, so only so many are in the document.
import { lineRow } from "./view.js";

export const ROWS = 1000;

export class WrappedView {
  /** The same interface as LogView, for as much as a page uses of it. */
  constructor(box, model, { words, on, times }) {
    Object.assign(this, { box, model, words, on, times });
    this.following = true;
    this.frame = 0;
    this.stopped = false;
    this.scrolled = () => this.#scrolled();
    box.addEventListener("scroll", this.scrolled, { passive: true });
    box.replaceChildren();
    this.draw();
  }

  close() {
    this.stopped = true;
    this.box.removeEventListener("scroll", this.scrolled);
  }

  follow(on) {
    if (this.following !== on) {
      this.following = on;
      this.on.follow(on);
    }
    if (on) this.draw();
  }

  show(model) {
    this.model = model;
    this.clear();
    this.draw();
  }

  clear() {
    this.box.replaceChildren();
  }

  shift() {}

  place(top) {
    if (top === 0) this.box.scrollTop = 0;
  }

  draw() {
    if (this.frame || this.stopped) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      if (!this.stopped && (this.following || !this.box.childElementCount)) this.#paint();
    });
  }

  #paint() {
    const { model, box } = this;
    const first = Math.max(0, model.count - ROWS);
    const from = model.seqAt(first);
    while (box.firstChild && Number(box.firstChild.dataset.seq) < from) box.firstChild.remove();
    const last = Number(box.lastChild?.dataset.seq ?? 0);
    const rows = [];
    for (let index = last ? model.indexOf(last + 1) : first; index < model.count; index += 1) {
      const line = model.at(index);
      if (line.seq > last) rows.push(lineRow(line, line.seq, this));
    }
    box.append(...rows);
    box.scrollTop = box.scrollHeight;
    this.top = box.scrollTop;
  }

  #scrolled() {
    const { box } = this;
    const up = box.scrollTop < (this.top ?? 0) - 1;
    this.top = box.scrollTop;
    if (up && this.following) this.follow(false);
    else if (box.scrollTop >= box.scrollHeight - box.clientHeight - 2 && !this.following) this.follow(true);
  }
}
