// Where lines come from: a websocket, or polling where websockets are blocked. Both carry
// the same lines by number, so changing from one to the other loses and doubles nothing.

const TAIL = 200;
const TAIL_BYTES = 128 * 1024;
const FAR = 2000; // more lines behind than this: go on from the tail
const BATCH = 1000;
const POLL_MS = 2000;
const SILENT_MS = 20_000;
const GONE = [4401, 4403, 4404]; // the session or the right ended

/** The wait before attempt n: doubles from 0.5 s to 15 s, with jitter, so that not all come at once. */
export function backOff(attempt, random = Math.random) {
  const most = Math.min(15_000, 500 * 2 ** attempt);
  return most / 2 + (random() * most) / 2;
}

export class LogSource {
  /**
   * api: address of the REST log; socket: of the websocket; store: a LogStore.
   * on: {lines(fresh), state(word), end(status), error(text)}.
   */
  constructor({ api, socket, store, on }) {
    Object.assign(this, { api, socketUrl: socket, store, on });
    this.ended = false;
    this.stopped = false;
    this.attempt = 0;
    this.polling = false;
    this.webSocket = null;
    this.timer = 0;
    this.heard = Date.now();
  }

  /** Lines by number or filter: {after, before, limit, host, step, q}. */
  async fetchLines(query) {
    const address = new URL(this.api, location.href);
    for (const [key, value] of Object.entries(query)) {
      if (value !== "" && value !== undefined) address.searchParams.set(key, value);
    }
    const answer = await fetch(address, { headers: { Accept: "application/json" } });
    if ([401, 403, 404].includes(answer.status)) {
      this.stop("gone");
      throw new Error("gone");
    }
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    const body = await answer.json();
    if (body.last_seq > this.store.last) this.store.last = body.last_seq;
    return body;
  }

  /** Fetch the tail and go on from there; known is the number of the last line as the page was made. */
  async start(known) {
    this.store.last = known;
    this.on.state("catching-up");
    for (;;) {
      try {
        const body = await this.fetchLines({ before: known + 1, limit: TAIL, max_bytes: TAIL_BYTES });
        this.store.jump(Math.max(0, (body.lines[0]?.seq ?? known + 1) - 1));
        this.#take(body.lines);
        break;
      } catch {
        if (this.stopped) return;
        this.on.state("reconnecting");
        await new Promise((resolve) => setTimeout(resolve, backOff((this.attempt += 1))));
      }
    }
    this.attempt = 0;
    document.addEventListener("visibilitychange", () => document.hidden || this.wake());
    addEventListener("online", () => this.wake());
    setInterval(() => this.#watch(), 5000);
    await this.wake();
  }

  /** Catch up by REST, then listen again: after a sleep, a lost connection, a gap. */
  async wake() {
    if (this.ended || this.stopped || this.catching) return;
    this.catching = true;
    clearTimeout(this.timer);
    try {
      await this.#catchUp();
    } catch {
      if (!this.stopped) this.#again();
      return;
    } finally {
      this.catching = false;
    }
    if (this.ended || this.stopped) return;
    if (this.polling) this.#later(POLL_MS);
    else this.#listen();
  }

  async #catchUp() {
    let body = await this.fetchLines({ after: this.store.live, limit: BATCH });
    if (body.last_seq - this.store.live > FAR) {
      this.on.state("catching-up");
      this.store.jump(body.last_seq - TAIL);
      body = await this.fetchLines({ after: this.store.live, limit: BATCH });
    }
    for (;;) {
      this.#take(body.lines);
      if (this.store.live >= body.last_seq || !body.lines.length) break;
      this.on.state("catching-up");
      body = await this.fetchLines({ after: this.store.live, limit: BATCH });
    }
    if (body.ended && this.store.live >= body.last_seq) this.#end(body.status);
    else if (this.polling) this.on.state("polling");
  }

  #listen() {
    if (this.webSocket && this.webSocket.readyState <= WebSocket.OPEN) {
      if (this.webSocket.readyState === WebSocket.OPEN) this.on.state("live");
      return;
    }
    const address = new URL(this.socketUrl, location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    address.searchParams.set("after", this.store.live);
    let socket;
    try {
      socket = new WebSocket(address);
    } catch {
      this.polling = this.attempt >= 1;
      this.#again();
      return;
    }
    this.webSocket = socket;
    let opened = false;
    socket.addEventListener("open", () => {
      opened = true;
      this.attempt = 0;
      this.heard = Date.now();
      this.on.state("live");
    });
    socket.addEventListener("message", (event) => this.#message(socket, event.data));
    socket.addEventListener("close", (event) => {
      if (this.webSocket !== socket) return;
      this.webSocket = null;
      if (this.ended || this.stopped) return;
      if (GONE.includes(event.code)) {
        this.stop("gone");
        return;
      }
      // A websocket that never opens twice in a row is blocked: poll, and try it again later.
      this.polling = !opened && this.attempt >= 1;
      this.#again();
    });
  }

  #message(socket, data) {
    if (this.webSocket !== socket) return;
    this.heard = Date.now();
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    if (message.lines) {
      this.#take(message.lines);
    }
    if (message.end) {
      if (this.store.live >= (message.last ?? 0)) this.#end(message.status);
      else this.#restart();
    }
  }

  #take(lines) {
    const { fresh, gap } = this.store.addLive(lines);
    if (fresh.length) this.on.lines(fresh);
    if (gap) this.#restart();
  }

  #restart() {
    const old = this.webSocket;
    this.webSocket = null;
    old?.close();
    this.#later(0);
  }

  #again() {
    if (this.polling) {
      this.on.state("polling");
      this.attempt += 1;
      if (this.attempt % 30 === 0) this.polling = false;
      this.#later(Math.max(POLL_MS, backOff(Math.min(this.attempt, 3))));
      return;
    }
    this.on.state("reconnecting");
    this.#later(backOff(this.attempt));
    this.attempt += 1;
  }

  #later(milliseconds) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.wake(), milliseconds);
  }

  // A connection that died without a word, or a timer that slept: look whether there is more.
  #watch() {
    if (document.hidden || this.polling || Date.now() - this.heard < SILENT_MS) return;
    this.heard = Date.now();
    const before = this.store.live;
    this.wake().then(() => {
      if (this.store.live > before) this.#restart();
    });
  }

  #end(status) {
    if (this.ended) return;
    this.ended = true;
    clearTimeout(this.timer);
    this.webSocket?.close();
    this.on.state("ended");
    this.on.end(status);
  }

  /** Ask for nothing more: the right to see this log has ended. */
  stop(state) {
    this.stopped = true;
    clearTimeout(this.timer);
    this.webSocket?.close();
    this.on.state(state);
  }
}
