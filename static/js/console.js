// What every page has: times that stay true, the theme switch, small comforts of forms.
import { refreshTimes } from "./times.js";

const language = document.documentElement.lang || "en";
const refresh = () => refreshTimes(document, language, Date.now());
setInterval(refresh, 15_000);
document.addEventListener("visibilitychange", () => document.hidden || refresh());

// The theme changes at once; the server keeps it for the next page.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-theme-form]") || !event.submitter) return;
  event.preventDefault();
  const theme = event.submitter.value;
  const body = new FormData(form);
  body.set("theme", theme);
  document.documentElement.dataset.theme = theme || "system";
  window.flotillaTheme();
  document.querySelectorAll("[data-theme-form]").forEach((each) => markTheme(each, theme));
  fetch(form.action, { method: "POST", body, redirect: "manual" });
});

function markTheme(form, theme) {
  for (const button of form.querySelectorAll("button")) {
    const chosen = button.value === theme;
    button.classList.toggle("active", chosen);
    if (chosen) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
    if (!chosen) continue;
    const opener = form.closest(".dropdown").querySelector("[data-bs-toggle] use");
    opener.setAttribute("href", button.querySelector("use").getAttribute("href"));
  }
}

// Filters apply when a choice is made; text fields wait for Enter.
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-autosubmit]");
  if (form && event.target.matches("select, input[type=checkbox], input[type=date]")) {
    form.requestSubmit();
  }
});

// A form is sent once, however often its button is pressed.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "1";
  setTimeout(() => delete form.dataset.sent, 4000);
});
window.addEventListener("pageshow", (event) => {
  if (event.persisted) document.querySelectorAll("form[data-sent]").forEach((f) => delete f.dataset.sent);
});

// <button data-copy="#id"> copies the text of the element it names.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.querySelector(button.dataset.copy);
  const text = source.value ?? source.textContent;
  try {
    await navigator.clipboard.writeText(text.trim());
  } catch {
    // Without TLS the clipboard is closed: select the text, so that Ctrl-C copies it.
    const range = document.createRange();
    range.selectNodeContents(source);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    return;
  }
  button.classList.add("fl-copied");
  const note = button.querySelector("[data-copied]");
  if (note) note.hidden = false;
  setTimeout(() => {
    button.classList.remove("fl-copied");
    if (note) note.hidden = true;
  }, 2000);
});

// Widths of bars come as data: inline styles are forbidden by the CSP.
export function applyBars(root) {
  for (const bar of root.querySelectorAll("[data-width]")) {
    bar.style.width = `${Math.min(100, Math.max(0, Number(bar.dataset.width)))}%`;
  }
}
applyBars(document);
document.addEventListener("htmx:afterSettle", (event) => {
  applyBars(event.target);
  refresh();
});

// A tab that nobody looks at asks for nothing; the next round after it is shown does.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.detail.requestConfig.verb === "get") event.preventDefault();
});
document.querySelector("[data-focus]")?.focus();
