// Lists of objects: boxes of rows, what can be done with them, and that both outlive live updates.
const boxes = () => [...document.querySelectorAll('input[name="objects"]')];
const form = document.querySelector("[data-bulk]");
let chosen = new Set();

function show() {
  if (!form) return;
  const all = boxes();
  const count = all.filter((box) => box.checked).length;
  const line = form.querySelector("[data-bulk-count]");
  line.textContent = count ? line.dataset.some.replace("{n}", count) : line.dataset.none;
  for (const button of form.querySelectorAll("button")) button.disabled = !count;
  const every = document.querySelector("[data-bulk-all]");
  if (!every) return;
  every.checked = count > 0 && count === all.length;
  every.indeterminate = count > 0 && count < all.length;
}

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-bulk-all]")) {
    for (const box of boxes()) box.checked = event.target.checked;
  } else if (!event.target.matches('input[name="objects"]')) {
    return;
  }
  chosen = new Set(boxes().filter((box) => box.checked).map((box) => box.value));
  show();
});

// New rows come unmarked: the choice goes by the object, not by the place in the list.
document.addEventListener("htmx:oobAfterSwap", () => {
  for (const box of boxes()) box.checked = chosen.has(box.value);
  show();
});

show();
