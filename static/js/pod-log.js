// The log of pods: lines from a websocket (pod-source), kept in the page (kept), shown by the
// same view as a task's log. The page holds the last lines before this ran.
import { KeptLines } from "./log/kept.js";
import { PodSource } from "./log/pod-source.js";
import { LogView, drawRuns } from "./log/view.js";
import { WrappedView } from "./log/wrapped.js";

const TONES = 6;

export class PodLog {
  constructor(root) {
    this.root = root;
    this.part = (name) => root.querySelector(`[data-log-${name}]`);
    this.words = JSON.parse(root.dataset.words);
    this.unseen = 0;
    this.lines = new KeptLines();
    this.tones = new Map();
    this.pods = new Set();
    this.#show(false);
    this.#listen();
    for (const part of root.querySelectorAll("[data-log-pause], [data-log-text], [data-log-script]")) part.hidden = false;
    root.classList.add("fl-log-ready");
    const query = new URLSearchParams(new FormData(this.part("choice")));
    query.set("opening", root.dataset.opening);
    this.source = new PodSource(`${root.dataset.socket}?${query}`, {
      lines: (lines) => this.#arrived(lines),
      state: (word) => this.#connection(word),
      error: (cause, mend) => this.#error(cause, mend),
      sources: (names, leftOut) => this.#sources(names, leftOut),
      cut: () => this.#notice(this.words.dropped),
    });
    this.source.start();
  }

  #show(wrapped) {
    const following = this.view?.following ?? true;
    this.view?.close();
    const box = this.part("box");
    box.classList.toggle("fl-log-wrapped", wrapped);
    const View = wrapped ? WrappedView : LogView;
    this.view = new View(box, this.lines, {
      words: this.words,
      times: this.part("times").checked,
      on: { look() {}, follow: () => this.#showState(), expand: (line) => this.#expand(line) },
    });
    this.view.following = following;
    this.#changed();
  }

  #listen() {
    const choice = this.part("choice");
    choice.querySelector("button").hidden = true;
    choice.addEventListener("change", () => choice.requestSubmit());
    this.part("times").addEventListener("change", () => this.#show(this.part("wrap").checked));
    this.part("wrap").addEventListener("change", () => this.#show(this.part("wrap").checked));
    let typing = 0;
    this.part("text").addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => this.#search(), 200);
    });
    this.part("new").addEventListener("click", () => this.#follow(true));
    this.part("pause").addEventListener("click", () => this.#follow(!this.view.following));
    this.part("expanded").addEventListener("click", (event) => {
      if (event.target.closest("[data-log-close]")) this.part("expanded").hidden = true;
    });
    this.part("box").addEventListener("keydown", (event) => this.#key(event));
    document.addEventListener("keydown", (event) => {
      const typed = event.target.closest?.("input, textarea, select, [contenteditable]");
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || typed) return;
      event.preventDefault();
      this.part("text").focus();
    });
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === " " && event.target === this.part("box")) this.#follow(!this.view.following);
    else if (event.key === "End") this.#follow(true);
    else if (event.key === "Home") {
      this.view.follow(false);
      this.view.place(0);
    } else return;
    event.preventDefault();
  }

  #follow(on) {
    this.view.follow(on);
    this.#showState();
  }

  #search() {
    this.lines.search(this.part("text").value.trim());
    this.view.following = true;
    this.view.show(this.lines, 0);
    this.#changed();
  }

  #arrived(lines) {
    const { fresh, gone } = this.lines.add(lines.map((line) => this.#line(line)));
    if (gone) {
      this.#notice(this.words.dropped);
      this.view.shift(-gone);
    }
    if (!this.view.following) this.unseen += fresh.length;
    this.#changed();
  }

  #line(line) {
    const { source } = line;
    const shown = { ...line, time: line.time ?? "", label: this.#label(source), tone: this.#tone(source) };
    if (line.note) {
      shown.stream = "event";
      shown.text = this.#note(line.note, line.values);
    } else if (line.cut) shown.text = `${line.text} ${this.words.cut}`;
    return shown;
  }

  #note(code, values) {
    const words = [this.words[values.again ? "note.again" : `note.${code}`] ?? code];
    if (values.reason) words.push(values.reason);
    if (typeof values.exit_code === "number") words.push(this.words.exit_code.replace("{n}", values.exit_code));
    if (code === "restarted") words.push(this.words.restarts.replace("{n}", values.restarts));
    if (values.cause) words.push(values.cause);
    return `— ${words.join(" · ")}`;
  }

  /** The container alone, where all lines are of one pod. */
  #label(source) {
    return this.pods.size > 1 ? source : source.slice(source.indexOf("/") + 1) || source;
  }

  #tone(source) {
    if (!this.tones.has(source)) this.tones.set(source, this.tones.size % TONES);
    return this.tones.get(source);
  }

  #sources(names, leftOut) {
    for (const name of names) {
      this.pods.add(name.slice(0, name.indexOf("/")));
      this.#tone(name);
    }
    this.root.classList.toggle("fl-podlog-many", this.pods.size > 1);
    this.root.classList.toggle("fl-podlog-one", names.length === 1);
    if (leftOut) this.#notice(this.words.left_out.replace("{n}", leftOut));
  }

  #notice(text) {
    this.part("notice").hidden = false;
    this.part("notice").textContent = text;
  }

  #error(cause, mend) {
    this.part("alert").hidden = false;
    this.part("cause").textContent = cause;
    this.part("mend").textContent = mend ?? "";
  }

  #changed() {
    this.view.draw();
    this.part("nothing").hidden = this.lines.count > 0 || this.connection === "catching-up";
    this.part("count").textContent = this.words.lines.replace("{n}", this.lines.count.toLocaleString());
    this.#showState();
  }

  #connection(word) {
    this.connection = word;
    if (word === "live") this.part("alert").hidden = true;
    this.#changed();
  }

  #showState() {
    const following = this.view?.following ?? true;
    if (following) this.unseen = 0;
    const word = !following && this.connection === "live" ? "paused" : this.connection;
    const state = this.part("state");
    if (word && state.dataset.logState !== word) {
      state.dataset.logState = word;
      state.textContent = this.words[word] ?? word;
    }
    this.part("pause").setAttribute("aria-pressed", String(following));
    const button = this.part("new");
    button.hidden = this.unseen === 0;
    button.textContent = this.words.new.replace("{n}", this.unseen.toLocaleString());
  }

  #expand(line) {
    const panel = this.part("expanded");
    panel.hidden = false;
    panel.querySelector("[data-log-where]").textContent = `${line.seq} · ${line.source} · ${line.time}`;
    const text = panel.querySelector("pre");
    text.replaceChildren();
    for (const piece of line.text.split("\r")) {
      if (text.childNodes.length) text.append("\n");
      drawRuns(text, piece);
    }
    text.focus();
  }
}

for (const root of document.querySelectorAll("[data-pod-log]")) root.podLog ??= new PodLog(root);
