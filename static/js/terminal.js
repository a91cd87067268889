// A terminal in a container: xterm.js draws, a websocket carries bytes both ways.
import { FitAddon } from "../vendor/xterm-fit.js";
import { Terminal } from "../vendor/xterm.js";
import { keepPolicy } from "./terminal/policy.js";
import { coloursOf } from "./terminal/theme.js";

const PIECE = 16 * 1024; // bytes of one message of what is typed
const LONGEST_PASTE = 512 * 1024;
const READER = "flotilla-terminal-screen-reader";
const REFUSED = { 4401: "gone", 4403: "gone", 4404: "gone" };

class TerminalPage {
  constructor(root) {
    this.root = root;
    this.words = JSON.parse(root.dataset.words);
    this.part = (name) => root.querySelector(`[data-terminal-${name}]`);
    this.encoder = new TextEncoder();
    this.socket = null;
    this.terminal = new Terminal({
      allowProposedApi: false,
      convertEol: false,
      cursorBlink: true,
      fontFamily: getComputedStyle(this.part("box")).fontFamily,
      fontSize: 14,
      minimumContrastRatio: 4.5,
      scrollback: 5000,
      screenReaderMode: localStorage.getItem(READER) === "1",
      theme: coloursOf(root),
    });
    this.fit = new FitAddon();
    this.terminal.loadAddon(this.fit);
    this.terminal.open(this.part("box"));
    this.terminal.attachCustomKeyEventHandler((event) => this.#key(event));
    this.terminal.onData((text) => this.#type(this.encoder.encode(text)));
    this.terminal.onBinary((text) => this.#type(Uint8Array.from(text, (c) => c.charCodeAt(0))));
    this.terminal.onResize(() => this.#resized());
    this.#listen();
    this.fit.fit();
    this.connect();
  }

  #listen() {
    const choice = this.part("choice");
    choice.addEventListener("change", (event) => {
      if (event.target.matches("[data-terminal-reader]")) return;
      history.replaceState(null, "", `?${this.#choice()}`);
      this.connect();
    });
    choice.addEventListener("submit", (event) => event.preventDefault());
    const reader = this.part("reader");
    reader.checked = this.terminal.options.screenReaderMode;
    reader.addEventListener("change", () => {
      this.terminal.options.screenReaderMode = reader.checked;
      localStorage.setItem(READER, reader.checked ? "1" : "0");
      this.terminal.focus();
    });
    this.part("again").addEventListener("click", () => this.connect());
    new ResizeObserver(() => this.fit.fit()).observe(this.part("box"));
    new MutationObserver(() => {
      this.terminal.options.theme = coloursOf(this.root);
    }).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
    addEventListener("pagehide", () => this.socket?.close());
  }

  #choice() {
    const query = new URLSearchParams();
    for (const name of ["container", "shell"]) query.set(name, this.part("choice").elements[name].value);
    return query;
  }

  /** Start a shell; one that is there ends. */
  connect() {
    this.socket?.close();
    this.socket = null;
    this.drawn = 0;
    this.ended = "";
    this.terminal.reset();
    this.part("again").hidden = true;
    this.part("alert").hidden = true;
    this.part("notice").hidden = true;
    this.#state("connecting");
    const query = this.#choice();
    query.set("columns", this.terminal.cols);
    query.set("rows", this.terminal.rows);
    const address = new URL(`${this.root.dataset.socket}?${query}`, location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(address);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    socket.addEventListener("message", (event) => {
      if (this.socket !== socket) return;
      if (typeof event.data === "string") this.#told(JSON.parse(event.data));
      else this.#print(socket, new Uint8Array(event.data));
    });
    socket.addEventListener("close", (event) => {
      if (this.socket === socket) this.#closed(event.code);
    });
  }

  // The server sends no more than it hears to be drawn: a program that prints without end waits.
  #print(socket, data) {
    this.terminal.write(data, () => {
      this.drawn += 1;
      if (this.socket === socket && socket.readyState === WebSocket.OPEN) {
        socket.send(JSON.stringify({ ack: this.drawn }));
      }
    });
  }

  #told(message) {
    if (message.open) {
      this.#state("live");
      this.terminal.focus();
    } else if (message.error) this.#error(message.error, message.mend);
    else if (message.closed) this.#notice(this.words[message.closed] ?? message.closed);
    else if (message.idle_in) this.#notice(this.words.idle_in.replace("{n}", message.idle_in));
    else if ("exit" in message) this.#exited(message);
  }

  #exited({ exit, message }) {
    this.ended = "ended";
    if (typeof exit === "number") {
      this.#notice(this.words.exited.replace("{n}", exit));
      if (exit === 126 || exit === 127) this.#error(this.words.no_shell, "");
    } else if (message) this.#error(message, this.words.no_shell);
    else this.#notice(this.words.exited_unknown);
  }

  #error(cause, mend) {
    this.ended = "failed";
    this.part("alert").hidden = false;
    this.part("cause").textContent = cause;
    this.part("mend").textContent = mend ?? "";
  }

  #notice(text) {
    this.part("notice").hidden = false;
    this.part("notice").textContent = text;
  }

  #closed(code) {
    this.socket = null;
    this.#state(REFUSED[code] ?? (this.ended || (code === 1000 ? "ended" : "lost")));
    this.part("again").hidden = false;
    if (this.part("box").contains(document.activeElement)) this.part("again").focus();
  }

  #type(bytes) {
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    if (bytes.length > LONGEST_PASTE) this.#notice(this.words.large_paste);
    else this.part("notice").hidden = true;
    const end = Math.min(bytes.length, LONGEST_PASTE);
    for (let at = 0; at < end; at += PIECE) this.socket.send(bytes.slice(at, Math.min(end, at + PIECE)));
  }

  #key(event) {
    if (event.type !== "keydown" || !event.ctrlKey || !event.shiftKey) return true;
    if (event.code === "KeyC" && this.terminal.hasSelection()) {
      event.preventDefault();
      document.execCommand("copy");
      return false;
    }
    // The browser itself pastes into the terminal's text field.
    if (event.code === "KeyV") return false;
    if (event.code === "F6") {
      event.preventDefault();
      this.part("choice").elements.container.focus();
      return false;
    }
    return true;
  }

  #resized() {
    const { cols, rows } = this.terminal;
    this.part("size").textContent = this.words.size.replace("{columns}", cols).replace("{rows}", rows);
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ resize: [cols, rows] }));
  }

  #state(word) {
    this.part("state").dataset.terminalState = word;
    this.part("state").textContent = this.words[word];
  }
}

keepPolicy(document, document.querySelector("[data-terminal-script]").nonce);
for (const root of document.querySelectorAll("[data-terminal]")) root.page = new TerminalPage(root);
