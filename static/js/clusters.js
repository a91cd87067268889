// The page that creates a cluster: what belongs to another choice is hidden until it is made,
// and the picture of the cluster follows the hosts as they are chosen.
const shown = document.querySelectorAll("[data-shown-for]");
const chosen = (name) => document.querySelector(`[name="${name}"]:checked`)?.value;

function showParts() {
  for (const part of shown) {
    const [name, value] = part.dataset.shownFor.split("=");
    part.hidden = chosen(name) !== value;
  }
}

// The box belongs to the type: a standard cluster's control planes carry no workloads by default.
function followType() {
  const box = document.querySelector("[name=schedule_on_control_plane]");
  const shownFor = document.querySelector("[name=schedule_shown_for]");
  const type = chosen("profile");
  if (!box || !shownFor || shownFor.value === type) return;
  box.checked = type === "lightweight";
  shownFor.value = type;
}

const rows = [...document.querySelectorAll("[data-host-row]")];
const withRole = (role) => rows.filter((row) => row.querySelector("select")?.value === role);

function draw() {
  const picture = document.querySelector("[data-planned]");
  if (!picture) return;
  const standard = chosen("profile") === "standard";
  const members = withRole("control_plane");
  const workers = withRole("worker");
  picture.classList.toggle("fl-planned-standard", standard);
  picture.classList.toggle("fl-planned-lightweight", !standard);
  picture.querySelector("[data-planned-vip]").textContent =
    document.querySelector("[name=vip]").value.trim() || "–";
  // As many as a standard cluster has: three, or five once there are more.
  const wanted = standard ? ([3, 5].find((n) => n >= members.length) ?? members.length) : 1;
  const missing = Math.max(0, wanted - members.length);
  fill(picture, "columns", [
    ...members.map((row) => made(picture, "column", row.dataset.name)),
    ...Array.from({ length: missing }, () => made(picture, "missing")),
  ]);
  fill(
    picture,
    "workers",
    workers.length
      ? workers.map((row) => made(picture, "worker", row.dataset.name))
      : [made(picture, "idle")],
  );
  tellNetworks(members);
}

function made(picture, kind, name) {
  const copy = picture.querySelector(`template[data-planned-${kind}]`).content.cloneNode(true);
  if (name !== undefined) copy.querySelector("[data-name]").textContent = name;
  return copy;
}

function fill(picture, list, parts) {
  picture.querySelector(`[data-planned-${list}]`).replaceChildren(...parts);
}

// In which network the virtual IP has to lie, as far as the facts of the chosen hosts tell.
function tellNetworks(members) {
  const line = document.querySelector("[data-vip-network]");
  if (!line) return;
  const networks = [...new Set(members.map((row) => row.dataset.network).filter(Boolean))];
  const text = [line.dataset.none, line.dataset.one][networks.length] ?? line.dataset.many;
  line.textContent = text.replace("{networks}", networks.join(", "));
}

document.addEventListener("change", (event) => {
  if (event.target.name === "profile") followType();
  showParts();
  draw();
});
document.querySelector("[name=vip]")?.addEventListener("input", draw);
showParts();
followType();
draw();
