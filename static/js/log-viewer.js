// The log of a task: puts together where lines come from (source), what is kept (store),
// what is shown (model) and how (view). The page holds a useful tail before this ran.
import { AllLines, FilteredLines } from "./log/model.js";
import { LogSource } from "./log/source.js";
import { LogStore } from "./log/store.js";
import { LogView, drawRuns } from "./log/view.js";

class LogViewer {
  constructor(root) {
    this.root = root;
    this.part = (name) => root.querySelector(`[data-log-${name}]`);
    this.words = JSON.parse(root.dataset.words);
    this.filter = { host: "", step: "", text: "" };
    this.unseen = 0;
    this.store = new LogStore();
    this.source = new LogSource({
      api: root.dataset.api,
      socket: root.dataset.socket,
      store: this.store,
      on: {
        lines: (fresh) => this.#arrived(fresh),
        state: (word) => this.#connection(word),
        end: () => document.body.dispatchEvent(new CustomEvent("task-ended")),
      },
    });
    this.all = new AllLines(this.store, this.source, () => this.#changed());
    this.view = new LogView(this.part("box"), this.all, {
      words: this.words,
      on: {
        look: (first, last) => this.view?.model.look(first, last),
        follow: () => this.#showState(),
        expand: (line) => this.#expand(line),
      },
    });
    this.#listen();
    root.classList.add("fl-log-ready");
    this.source.start(Number(root.dataset.last)).then(() => this.#changed());
    this.#openLine();
  }

  #listen() {
    const box = this.part("box");
    for (const name of ["host", "step"]) {
      this.part(name).addEventListener("change", () => this.#filterChanged());
    }
    let typing = 0;
    this.part("text").addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => this.#filterChanged(), 250);
    });
    this.part("filters").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#filterChanged();
    });
    this.part("clear").addEventListener("click", () => this.setFilter({}));
    this.part("new").addEventListener("click", () => this.#follow(true));
    this.part("pause").addEventListener("click", () => this.#follow(!this.view.following));
    this.part("expanded").addEventListener("click", (event) => {
      if (event.target.closest("[data-log-close]")) this.part("expanded").hidden = true;
    });
    box.addEventListener("keydown", (event) => this.#key(event));
    document.addEventListener("keydown", (event) => {
      const typed = event.target.closest?.("input, textarea, select, [contenteditable]");
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || typed) return;
      event.preventDefault();
      this.part("text").focus();
    });
    addEventListener("hashchange", () => this.#openLine());
    // A cell of the grid, a host of the topology: show its lines.
    document.addEventListener("click", (event) => {
      const button = event.target.closest("[data-log-filter]");
      if (!button) return;
      this.setFilter({ host: button.dataset.host ?? "", step: button.dataset.step ?? "" });
      this.root.scrollIntoView({ block: "nearest" });
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
    if (on) this.unseen = 0;
    this.#showState();
  }

  /** Show only what comes from a host, of a step, or holds a text. */
  setFilter({ host = "", step = "", text = "" }) {
    this.part("host").value = host;
    this.part("step").value = step;
    this.part("text").value = text;
    this.#filterChanged();
  }

  #filterChanged() {
    const filter = {
      host: this.part("host").value,
      step: this.part("step").value,
      text: this.part("text").value.trim(),
    };
    const was = this.filter;
    if (Object.keys(filter).every((key) => filter[key] === was[key])) return;
    const seq = this.view.firstSeq || 1;
    this.filter = filter;
    const any = Boolean(filter.host || filter.step || filter.text);
    this.part("clear").hidden = !any;
    if (!any) {
      this.view.show(this.all, seq);
    } else {
      const model = new FilteredLines(this.source, filter, this.store.live + 1, (above) => {
        if (this.view.model !== model) return;
        if (above > 0) this.view.shift(above);
        this.#changed();
      });
      this.view.following = true;
      this.view.show(model, 0);
      model.look(0);
    }
    this.#changed();
  }

  #arrived(fresh) {
    this.view.model.add(fresh);
    if (!this.view.following) this.unseen += fresh.length;
    this.#changed();
  }

  #changed() {
    this.view.draw();
    const model = this.view.model;
    const waiting = model.asking && !model.count;
    this.part("nothing").hidden = model.count > 0 || waiting;
    this.part("count").textContent = this.words.lines.replace("{n}", model.count.toLocaleString());
    this.#showState();
  }

  #connection(word) {
    this.connection = word;
    this.#showState();
  }

  #showState() {
    const following = this.view?.following ?? true;
    if (following) this.unseen = 0;
    const paused = !following && ["live", "polling"].includes(this.connection);
    const word = paused ? "paused" : this.connection;
    const state = this.part("state");
    if (state.dataset.logState !== word && word) {
      state.dataset.logState = word;
      state.textContent = this.words[word] ?? word;
    }
    const pause = this.part("pause");
    pause.setAttribute("aria-pressed", String(following));
    const button = this.part("new");
    button.hidden = this.unseen === 0;
    button.textContent = this.words.new.replace("{n}", this.unseen.toLocaleString());
  }

  /** A very long line, or one that was rewritten by carriage returns, whole and wrapped. */
  #expand(line) {
    const panel = this.part("expanded");
    panel.hidden = false;
    panel.querySelector("[data-log-where]").textContent =
      `${line.seq} · ${line.host || this.words.console} · ${line.step || "–"} · ${line.time}`;
    const text = panel.querySelector("pre");
    text.replaceChildren();
    for (const piece of line.text.split("\r")) {
      if (text.childNodes.length) text.append("\n");
      drawRuns(text, piece);
    }
    text.focus();
  }

  /** #L123 opens at line 123. */
  #openLine() {
    const seq = Number(/^#L(\d+)$/.exec(location.hash)?.[1]);
    if (!seq || seq > Math.max(this.store.last, Number(this.root.dataset.last))) return;
    this.store.last = Math.max(this.store.last, Number(this.root.dataset.last));
    if (this.view.model !== this.all && this.view.model.indexOf(seq) < 0) this.setFilter({});
    this.view.scrollTo(seq, true);
    this.root.scrollIntoView({ block: "nearest" });
  }
}

for (const root of document.querySelectorAll("[data-log]")) root.logViewer = new LogViewer(root);
