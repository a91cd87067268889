// The page that creates a cluster: what belongs to another choice is hidden until it is made.
for (const part of document.querySelectorAll("[data-shown-for]")) {
  const [name, value] = part.dataset.shownFor.split("=");
  const show = () => {
    const chosen = document.querySelector(`[name="${name}"]:checked`);
    part.hidden = chosen?.value !== value;
  };
  document.addEventListener("change", (event) => event.target.name === name && show());
  show();
}
