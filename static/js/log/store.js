// The lines that the page holds: by number, in blocks, the oldest-used blocks dropped.

export const BLOCK = 500;

export class LogStore {
  /** most: how many blocks are kept; what is dropped is fetched again when looked at. */
  constructor(most = 60) {
    this.blocks = new Map(); // block number -> array of lines; Map order is order of use
    this.most = most;
    this.last = 0; // the highest number that is known to exist
    this.live = 0; // every line up to here was received, or skipped on purpose by jump()
  }

  get(seq) {
    return this.blocks.get(Math.floor((seq - 1) / BLOCK))?.[(seq - 1) % BLOCK];
  }

  /** Keep lines, in whatever order they come; a line that is there already stays. */
  add(lines) {
    for (const line of lines) {
      const key = Math.floor((line.seq - 1) / BLOCK);
      let block = this.blocks.get(key);
      if (!block) {
        block = [];
        this.blocks.set(key, block);
      }
      block[(line.seq - 1) % BLOCK] ??= line;
      if (line.seq > this.last) this.last = line.seq;
    }
  }

  /**
   * A batch of the live stream. Returns {fresh, gap}: the lines not received before,
   * in order; gap is true when lines are missing between them and what came before,
   * and then nothing was taken: ask again for what comes after `live`.
   */
  addLive(lines) {
    const fresh = [];
    let next = this.live + 1;
    for (const line of lines) {
      if (line.seq < next) continue;
      if (line.seq > next) return this.#taken(fresh, true);
      fresh.push(line);
      next += 1;
    }
    return this.#taken(fresh, false);
  }

  #taken(fresh, gap) {
    this.add(fresh);
    this.live += fresh.length;
    return { fresh, gap };
  }

  /** The log has grown far: go on from a later line; what lies between is fetched when looked at. */
  jump(live) {
    if (live > this.live) this.live = live;
    this.last = Math.max(this.last, this.live);
  }

  /** The first stretch of from..to that is not here, at most `size` long, or null. */
  missing(from, to, size = BLOCK) {
    const end = Math.min(to, this.last);
    for (let seq = Math.max(1, from); seq <= end; seq += 1) {
      if (this.get(seq)) continue;
      let until = seq;
      while (until < end && until - seq + 1 < size && !this.get(until + 1)) until += 1;
      return { from: seq, to: until };
    }
    return null;
  }

  /** Drop blocks until few enough are left, but none that touches from..to. */
  trim(from, to) {
    const first = Math.floor((from - 1) / BLOCK);
    const final = Math.floor((to - 1) / BLOCK);
    for (let key = first; key <= final; key += 1) {
      const block = this.blocks.get(key);
      if (block) {
        this.blocks.delete(key);
        this.blocks.set(key, block);
      }
    }
    for (const key of [...this.blocks.keys()]) {
      if (this.blocks.size <= this.most) return;
      if (key < first || key > final) this.blocks.delete(key);
    }
  }

  /** How many lines are held. */
  get size() {
    let count = 0;
    for (const block of this.blocks.values()) for (const line of block) if (line) count += 1;
    return count;
  }
}

/** Whether a line passes a filter {host, step, text}; empty values let everything pass. */
export function matches(line, filter, strip = (text) => text) {
  if (filter.host && line.host !== filter.host) return false;
  if (filter.step && line.step !== filter.step) return false;
  return !filter.text || strip(line.text).toLowerCase().includes(filter.text.toLowerCase());
}

/** Put lines into an array ordered by number, without doubling any. */
export function merge(into, lines) {
  if (!lines.length) return into;
  if (!into.length || lines[0].seq > into[into.length - 1].seq) return into.concat(lines);
  const known = new Set(into.map((line) => line.seq));
  const fresh = lines.filter((line) => !known.has(line.seq));
  return into.concat(fresh).sort((a, b) => a.seq - b.seq);
}
