// The task page: elapsed times that tick, polite announcements, scroll places that stay.
import { clock } from "./times.js";

function tick() {
  for (const element of document.querySelectorAll("[data-tick]")) {
    element.textContent = clock((Date.now() - Date.parse(element.dataset.tick)) / 1000);
  }
}
setInterval(tick, 1000);
tick();

const scrolled = new Map();
document.addEventListener("htmx:beforeSwap", () => {
  for (const box of document.querySelectorAll("[data-keep-scroll][id]")) {
    scrolled.set(box.id, [box.scrollLeft, box.scrollTop]);
  }
  for (const open of document.querySelectorAll("details[id]")) scrolled.set(open.id, open.open);
});
document.addEventListener("htmx:afterSwap", () => {
  for (const box of document.querySelectorAll("[data-keep-scroll][id]")) {
    const [left, top] = scrolled.get(box.id) ?? [0, 0];
    box.scrollLeft = left;
    box.scrollTop = top;
  }
  for (const details of document.querySelectorAll("details[id]")) {
    if (scrolled.has(details.id)) details.open = scrolled.get(details.id);
  }
  tick();
  announce();
});

// Only what phase the task is in, not every line: a log read aloud helps nobody.
function announce() {
  const source = document.querySelector("[data-announce]");
  const target = document.querySelector("#announcer");
  if (source && target && target.textContent !== source.dataset.announce) {
    target.textContent = source.dataset.announce;
  }
}

// The log says that it ended: the state need not wait for its next second.
document.body.addEventListener("task-ended", () => {
  const state = document.querySelector("#task-state");
  if (state?.hasAttribute("hx-get")) window.htmx?.trigger(state, "look");
});
