// Rows that follow the cluster: a websocket says that something has changed, and the page's own
// htmx poll is made at once. Where websockets are blocked, the slow poll goes on alone.
import { backOff } from "./log/source.js";

const AT_MOST_MS = 500; // between two looks
const GONE = [4400, 4401, 4403, 4404]; // the session or the right ended: the poll will say it

// As a method of another object, a browser's setTimeout refuses to be called.
const later = (call, ms) => setTimeout(call, ms);

/** Calls look() at once, and then at most every so many milliseconds; the last call is never lost. */
export class Throttle {
  constructor(look, { every = AT_MOST_MS, now = Date.now, wait = later } = {}) {
    Object.assign(this, { look, every, now, wait });
    this.last = -Infinity;
    this.waiting = false;
  }

  ask() {
    if (this.waiting) return;
    const left = this.last + this.every - this.now();
    if (left <= 0) {
      this.#go();
      return;
    }
    this.waiting = true;
    this.wait(() => {
      this.waiting = false;
      this.#go();
    }, left);
  }

  #go() {
    this.last = this.now();
    this.look();
  }
}

/** Keeps the socket open; look() is called for every change, and after each time it opened anew. */
export class Changes {
  constructor({ address, look, open = (url) => new WebSocket(url), wait = later, random = Math.random }) {
    Object.assign(this, { address, look, open, wait, random });
    this.attempt = 0;
    this.known = new Map();
    this.ended = false;
  }

  start() {
    const socket = this.open(this.address);
    socket.onmessage = (event) => this.#hear(event.data);
    socket.onclose = (event) => {
      if (GONE.includes(event.code)) {
        this.ended = true;
        return;
      }
      this.wait(() => this.start(), backOff(this.attempt, this.random));
      this.attempt += 1;
    };
  }

  #hear(text) {
    let clusters;
    try {
      clusters = JSON.parse(text)?.clusters;
    } catch {
      return; // the slow poll goes on
    }
    if (!clusters || typeof clusters !== "object") return;
    this.attempt = 0;
    for (const [id, number] of Object.entries(clusters)) this.known.set(id, number);
    // The first frame counts too: what changed between the page and the socket.
    this.look();
  }
}

/** The websocket's address for "7", "1,2" or "all". */
export function address(clusters, place) {
  const scheme = place.protocol === "https:" ? "wss:" : "ws:";
  const ids = clusters === "all" ? "" : `?clusters=${encodeURIComponent(clusters)}`;
  return `${scheme}//${place.host}/ws/clusters/changes/${ids}`;
}

function follow() {
  const clusters = document.querySelector("#live")?.dataset.clusters;
  if (!clusters || !("WebSocket" in window)) return;
  let missed = false;
  const throttle = new Throttle(() => {
    missed = document.hidden;
    // The element is another one after each swap.
    const live = document.querySelector("#live");
    if (live && !missed) window.htmx?.trigger(live, "look");
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && missed) throttle.ask();
  });
  new Changes({ address: address(clusters, location), look: () => throttle.ask() }).start();
}

/** What the reader has opened stays open when the rows are exchanged. */
function keepOpen() {
  const opened = new Map();
  document.addEventListener("htmx:beforeSwap", () => {
    for (const details of document.querySelectorAll("#live details[id]")) {
      opened.set(details.id, details.open);
    }
  });
  document.addEventListener("htmx:afterSwap", () => {
    for (const details of document.querySelectorAll("#live details[id]")) {
      if (opened.has(details.id)) details.open = opened.get(details.id);
    }
  });
}

if (typeof document !== "undefined") {
  keepOpen();
  follow();
}
