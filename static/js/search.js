// Search by keyboard: "/" or Ctrl-K leads to the field, arrows go through the hits, Enter opens.
const typing = (element) =>
  element.isContentEditable || element.closest?.("input, textarea, select, [data-keys], .xterm");

function field() {
  return (
    document.querySelector("[data-search-text]") ??
    [...document.querySelectorAll("[data-search-open]")].find((each) => each.offsetParent)
  );
}

document.addEventListener("keydown", (event) => {
  const slash = event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey;
  const letter = event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey);
  // A terminal keeps its Ctrl-K, a field its "/".
  if (!slash && !letter) return;
  if (typing(event.target) && (slash || event.target.closest(".xterm"))) return;
  event.preventDefault();
  const found = field();
  if (found) {
    found.focus();
    found.select();
  } else {
    location.assign("/search/");
  }
});

const text = document.querySelector("[data-search-text]");
const place = document.querySelector("[data-search-found]");

if (text && place) {
  const hits = () => [...place.querySelectorAll("[data-hit]")];
  // Who comes here wants to type; the words stand there already when they came from the top bar.
  text.focus();
  text.setSelectionRange(text.value.length, text.value.length);

  document.addEventListener("keydown", (event) => {
    const on = event.target === text ? -1 : hits().indexOf(event.target);
    if (event.target !== text && on < 0) return;
    const all = hits();
    if (event.key === "Enter" && event.target === text && all.length && !place.dataset.waiting) {
      event.preventDefault();
      all[0].click();
    } else if (event.key === "Escape" && on >= 0) {
      text.focus();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const next = on + (event.key === "ArrowDown" ? 1 : -1);
      (next < 0 ? text : (all[next] ?? all.at(-1)))?.focus();
    }
  });

  // Enter before the answer is there sends the form: what was typed decides, not old hits.
  text.addEventListener("input", () => (place.dataset.waiting = "1"));
  // At the swap itself: settling takes a moment longer, in which Enter would still send the form.
  place.addEventListener("htmx:afterSwap", () => {
    delete place.dataset.waiting;
    const address = new URL(location.href);
    address.searchParams.set("q", text.value);
    history.replaceState(null, "", address);
  });
}
