// The list of hosts: tick all at once, and keep what is ticked when the table refreshes itself.
const ticked = new Set();

const boxes = () => [...document.querySelectorAll("[data-ticks] input[name=host]")];

function show() {
  for (const box of boxes()) box.checked = ticked.has(box.value);
  const all = document.querySelector("[data-tick-all]");
  if (!all) return;
  const count = boxes().filter((box) => box.checked).length;
  all.hidden = false;
  all.checked = count > 0 && count === boxes().length;
  all.indeterminate = count > 0 && !all.checked;
}

document.addEventListener("change", (event) => {
  const changed = event.target.matches("[data-tick-all]") ? boxes() : [event.target];
  for (const box of changed) {
    if (!box.matches("[data-ticks] input[name=host]")) return;
    if (event.target.checked) ticked.add(box.value);
    else ticked.delete(box.value);
  }
  show();
});
document.addEventListener("htmx:afterSettle", show);
for (const box of boxes()) if (box.checked) ticked.add(box.value);
show();
