// Where the lines of pods come from: one websocket, opened again where it was lost. Lines have
// times, not numbers: what was read of each container is said when going on, so that nothing
// comes twice.
import { backOff } from "./source.js";

const GONE = [4401, 4403, 4404]; // the session, the right or the object ended
const FINAL = [4400, 4429]; // asking again would change nothing

/** How far each container was read: the newest time, and how many lines have it. */
export class Places {
  constructor() {
    this.of = new Map();
  }

  move({ source, time }) {
    if (!time) return;
    const place = this.of.get(source);
    if (place && place[0] === time) place[1] += 1;
    else this.of.set(source, [time, 1]);
  }

  get json() {
    return Object.fromEntries(this.of);
  }
}

export class PodSource {
  /** address: of the websocket with its options; on: {lines, state, error, sources, cut, end}. */
  constructor(address, on) {
    Object.assign(this, { address, on });
    this.places = new Places();
    this.attempt = 0;
    this.over = false;
    this.caughtUp = false;
    this.webSocket = null;
    addEventListener("online", () => this.#now());
    document.addEventListener("visibilitychange", () => document.hidden || this.#now());
  }

  start() {
    this.on.state(this.caughtUp ? "reconnecting" : "catching-up");
    const address = new URL(this.address, location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    if (this.places.of.size) address.searchParams.set("resume", "1");
    let socket;
    try {
      socket = new WebSocket(address);
    } catch {
      this.#again();
      return;
    }
    this.webSocket = socket;
    socket.addEventListener("message", (event) => this.#message(socket, event.data));
    socket.addEventListener("close", (event) => this.#closed(socket, event.code));
  }

  #message(socket, data) {
    if (this.webSocket !== socket) return;
    const message = JSON.parse(data);
    if (message.ready) socket.send(JSON.stringify({ resume: this.places.json }));
    if (message.sources) this.on.sources(message.sources, message.left_out);
    if (message.lines) {
      for (const line of message.lines) this.places.move(line);
      this.on.lines(message.lines);
      socket.send(JSON.stringify({ ack: message.frame }));
    }
    if (message.caught_up) {
      this.attempt = 0;
      this.caughtUp = true;
      this.on.state("live");
      if (message.cut) this.on.cut();
    }
    if (message.error) this.on.error(message.error, message.mend);
    if (message.end) this.#finish("ended");
    else if (message.error) this.#finish("failed");
  }

  #closed(socket, code) {
    if (this.webSocket !== socket || this.over) return;
    this.webSocket = null;
    if (GONE.includes(code)) this.#finish("gone");
    else if (FINAL.includes(code)) this.#finish("failed");
    else this.#again();
  }

  #again() {
    this.on.state("reconnecting");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.start(), backOff((this.attempt += 1)));
  }

  #now() {
    if (this.over || this.webSocket) return;
    clearTimeout(this.timer);
    this.start();
  }

  #finish(state) {
    this.over = true;
    this.webSocket?.close();
    this.on.state(state);
  }
}
