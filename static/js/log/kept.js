// Lines that the page holds itself, the newest of them, and those that pass a filter.
import { plain } from "./ansi.js";
import { matches } from "./store.js";

export const MOST = 50_000;

export class KeptLines {
  /** most: how many are kept; the oldest go first. */
  constructor(most = MOST) {
    this.most = most;
    this.all = [];
    this.shown = this.all;
    this.filter = { text: "" };
    this.next = 1;
    this.asking = false;
    this.dropped = false;
  }

  get count() {
    return this.shown.length;
  }

  at(index) {
    return this.shown[index];
  }

  seqAt(index) {
    return this.shown[index]?.seq ?? 0;
  }

  /** The row of a line, or of the next one that is shown. */
  indexOf(seq) {
    let low = 0;
    let high = this.shown.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.shown[middle].seq < seq) low = middle + 1;
      else high = middle;
    }
    return Math.min(low, Math.max(0, this.shown.length - 1));
  }

  /** Number lines and keep them. Returns {fresh, gone}: those that are shown, and rows that went. */
  add(lines) {
    for (const line of lines) {
      line.seq = this.next;
      this.next += 1;
    }
    const fresh = this.filter.text ? lines.filter((line) => this.#passes(line)) : lines;
    const before = this.shown.length;
    this.all.push(...lines);
    if (this.shown !== this.all) this.shown.push(...fresh);
    let gone = 0;
    // In one go for many: taking single lines off the front of a long array is slow.
    if (this.all.length > this.most * 1.1) {
      this.dropped = true;
      this.all.splice(0, this.all.length - this.most);
      const first = this.all[0].seq;
      if (this.shown !== this.all) {
        const keep = this.shown.findIndex((line) => line.seq >= first);
        this.shown.splice(0, keep < 0 ? this.shown.length : keep);
      }
      gone = before + fresh.length - this.shown.length;
    }
    return { fresh, gone };
  }

  /** Show only lines that hold a text; "" shows all. */
  search(text) {
    this.filter = { text };
    this.shown = text ? this.all.filter((line) => this.#passes(line)) : this.all;
  }

  /** Nothing is fetched: what is not here is gone. */
  look() {}

  #passes(line) {
    return matches(line, this.filter, plain);
  }
}
