// What the list shows: every line by number, or those that pass a filter. Both fetch what they lack.
import { plain } from "./ansi.js";
import { matches, merge } from "./store.js";

const WINDOW = 500;

/** All lines: row i is line i + 1. */
export class AllLines {
  constructor(store, source, changed) {
    Object.assign(this, { store, source, changed });
    this.asking = false;
  }

  get count() {
    return this.store.last;
  }

  at(index) {
    return this.store.get(index + 1);
  }

  seqAt(index) {
    return index + 1;
  }

  indexOf(seq) {
    return Math.min(Math.max(0, seq - 1), Math.max(0, this.count - 1));
  }

  add() {
    this.changed();
  }

  /** Rows first..last are looked at: fetch those that are not here. */
  async look(first, last) {
    this.store.trim(first + 1, last + 1);
    if (this.asking) return;
    const gap = this.store.missing(first + 1, last + 1, WINDOW);
    if (!gap) return;
    this.asking = true;
    // A window around the gap, so that a small scroll asks nothing more.
    const from = Math.max(1, gap.from - 100);
    try {
      const body = await this.source.fetchLines({ after: from - 1, limit: WINDOW });
      this.store.add(body.lines);
      this.asking = false;
      this.changed();
    } catch {
      setTimeout(() => {
        this.asking = false;
        this.changed();
      }, 1500);
    }
  }
}

/** The lines that pass a filter, from the end backwards as far as one scrolls. */
export class FilteredLines {
  constructor(source, filter, from, changed) {
    Object.assign(this, { source, filter, changed });
    this.lines = [];
    this.from = from; // everything at or after this number has been asked for
    this.whole = from <= 1;
    this.asking = false;
  }

  get count() {
    return this.lines.length;
  }

  at(index) {
    return this.lines[index];
  }

  seqAt(index) {
    return this.lines[index]?.seq ?? 0;
  }

  /** The row of a line, or of the next one that is shown. */
  indexOf(seq) {
    let low = 0;
    let high = this.lines.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.lines[middle].seq < seq) low = middle + 1;
      else high = middle;
    }
    return Math.min(low, Math.max(0, this.lines.length - 1));
  }

  add(fresh) {
    const passing = fresh.filter((line) => matches(line, this.filter, plain));
    if (!passing.length) return;
    this.lines = merge(this.lines, passing);
    this.changed();
  }

  /** Fetch the page of matches before the first one, once its rows come near. */
  async look(first) {
    if (this.whole || this.asking || first > 100) return;
    this.asking = true;
    const { host, step, text } = this.filter;
    try {
      const query = { before: this.from, limit: WINDOW, host, step, q: text };
      const body = await this.source.fetchLines(query);
      // A server that does not filter sends all lines: what does not pass is dropped here.
      const passing = body.lines.filter((line) => matches(line, this.filter, plain));
      if (body.lines.length) this.from = body.lines[0].seq;
      this.whole = body.lines.length < WINDOW || this.from <= 1;
      const before = this.lines.length;
      this.lines = merge(passing, this.lines);
      this.asking = false;
      this.changed(this.lines.length - before);
    } catch {
      setTimeout(() => {
        this.asking = false;
        this.changed();
      }, 1500);
    }
  }
}
