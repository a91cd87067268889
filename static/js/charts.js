// Charts of what something uses: drawn from the JSON at data-metrics, followed while the page is
// open. Gaps stay gaps; the table below holds the same figures for everybody.
import uPlot from "../vendor/uplot.js";

const HEIGHT = 190;
const EVERY = 30_000;
const LINES = ["request", "limit", "allocatable"];
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

// The rules of console/ui/quantities.py, for axes and the cursor.
export function bytes(value) {
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${short(value)} ${UNITS[unit]}`;
}

export function cores(value) {
  const figure = value.toFixed(value >= 1 ? 2 : 3).replace(/0+$/, "").replace(/\.$/, "");
  return `${figure} CPU`;
}

function short(value) {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(1).replace(/\.0$/, "");
}

// [times, used, highest?, request?, limit?, allocatable?] with a row at both ends of the range, so
// that a chart always shows the whole of it and its lines go through.
export function columns(data, what) {
  const ends = (values) => [null, ...values, null];
  const times = [data.start, ...data.times, data.end];
  const drawn = [{ key: "used", values: ends(data[what]) }];
  const highest = data[`${what}_highest`];
  if (highest.some((value, k) => value !== data[what][k])) {
    drawn.push({ key: "highest", values: ends(highest) });
  }
  for (const key of LINES) {
    const value = data.lines[what][key];
    if (value !== null && value !== undefined) {
      drawn.push({ key, values: times.map(() => value) });
    }
  }
  return { times, drawn };
}

const colour = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(`--fl-chart-${name}`).trim();

// Steps of powers of two for bytes: 256 MiB, 512 MiB, 1 GiB.
const BYTE_STEPS = [...Array(50).keys()].map((power) => 2 ** power);

function options(panel, what, found, width) {
  const format = what === "memory" ? bytes : cores;
  const label = (key) => panel.dataset[`label${key[0].toUpperCase()}${key.slice(1)}`];
  const axis = { stroke: colour("text"), grid: { stroke: colour("grid"), width: 1 }, ticks: { show: false } };
  const series = found.drawn.map(({ key }) => ({
    label: label(key),
    stroke: colour(key),
    width: key === "used" ? 2 : 1.5,
    fill: key === "used" ? colour("area") : undefined,
    dash: key === "used" ? undefined : key === "highest" ? [2, 3] : [6, 4],
    spanGaps: false,
    points: { show: key === "used" ? undefined : false, size: 4 },
    value: (_chart, value) => (value === null || value === undefined ? "–" : format(value)),
  }));
  const twoDays = found.times.at(-1) - found.times[0] > 2 * 86400;
  return {
    width,
    height: HEIGHT,
    legend: { live: false },
    cursor: { drag: { x: false, y: false }, points: { size: 7 } },
    scales: {
      x: { time: true, range: [found.times[0], found.times.at(-1)] },
      y: { range: (_chart, _low, high) => [0, (high || (what === "memory" ? 1024 ** 2 : 0.01)) * 1.08] },
    },
    series: [{ label: label("time") }, ...series],
    axes: [
      { ...axis, size: 28, values: (_chart, at) => at.map((time) => moment(time, twoDays)), space: twoDays ? 70 : 60 },
      {
        ...axis,
        size: 72,
        incrs: what === "memory" ? BYTE_STEPS : undefined,
        values: (_chart, at) => at.map(format),
      },
    ],
    hooks: { setCursor: [(chart) => say(panel, what, chart, found, format)] },
  };
}

function moment(time, withDay) {
  const language = document.documentElement.lang || "en";
  const day = { day: "numeric", month: "short" };
  const clock = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  return new Date(time * 1000).toLocaleString(language, withDay ? day : clock);
}

// What stands at the cursor, in words: for those who look and for those who listen.
function say(panel, what, chart, found, format) {
  const place = panel.querySelector(`[data-chart-says="${what}"]`);
  const at = chart.cursor.idx;
  if (at === null || at === undefined || chart.cursor.left < 0) {
    place.textContent = "";
    return;
  }
  const value = found.drawn[0].values[at];
  const when = new Date(found.times[at] * 1000).toLocaleString(document.documentElement.lang || "en");
  place.textContent = `${when}: ${value === null ? panel.dataset.labelGap : format(value)}`;
}

function withKeys(box, chart, found) {
  box.onkeydown = (event) => {
    const last = found.times.length - 1;
    const now = chart.cursor.idx ?? last;
    const next = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: last }[event.key];
    if (event.key === "Escape") chart.setCursor({ left: -10, top: -10 });
    if (next === undefined) return;
    event.preventDefault();
    const to = Math.min(Math.max(next, 0), last);
    chart.setCursor({ left: chart.valToPos(found.times[to], "x"), top: HEIGHT / 3 });
  };
}

function draw(panel, data) {
  for (const box of panel.querySelectorAll("[data-chart]")) {
    const what = box.dataset.chart;
    const found = columns(data, what);
    box.hidden = false;
    box.chart?.destroy();
    box.chart = new uPlot(
      options(panel, what, found, box.clientWidth),
      [found.times, ...found.drawn.map((one) => one.values)],
      box,
    );
    withKeys(box, box.chart, found);
  }
}

function fill(panel, rows) {
  const language = document.documentElement.lang || "en";
  panel.querySelector("[data-metrics-rows]").replaceChildren(
    ...rows.map(([when, ...texts]) => {
      const row = document.createElement("tr");
      const time = document.createElement("time");
      time.dateTime = when;
      time.textContent = new Date(when).toLocaleString(language);
      const first = document.createElement("td");
      first.className = "fl-nowrap";
      first.append(time);
      const cells = texts.map((text) => {
        const cell = document.createElement("td");
        cell.className = "fl-figure";
        cell.textContent = text;
        return cell;
      });
      row.append(first, ...cells);
      return row;
    }),
  );
}

async function load(panel) {
  const says = panel.querySelector("[data-metrics-says]");
  const reach = panel.dataset.range;
  try {
    const answer = await fetch(`${panel.dataset.metrics}&range=${reach}`, {
      headers: { Accept: "application/json" },
    });
    if (!answer.ok) throw new Error(String(answer.status));
    const data = await answer.json();
    if (reach !== panel.dataset.range) return; // another range was chosen meanwhile
    panel.data = data;
    says.textContent = "";
    draw(panel, data);
    fill(panel, data.rows);
    // Pieces that the server has rendered, as the page had them: their texts are escaped there.
    for (const piece of panel.querySelectorAll("[data-metrics-html]")) {
      piece.innerHTML = data.html[piece.dataset.metricsHtml];
    }
  } catch {
    says.textContent = panel.dataset.labelFailed;
  }
}

function choose(panel, chosen) {
  panel.dataset.range = chosen.dataset.metricsRange;
  for (const link of panel.querySelectorAll("[data-metrics-range]")) {
    link.classList.toggle("active", link === chosen);
    if (link === chosen) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  history.replaceState(null, "", chosen.getAttribute("href"));
  load(panel);
}

function begin(panel) {
  panel.begun = true;
  panel.addEventListener("click", (event) => {
    const link = event.target.closest("[data-metrics-range]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    choose(panel, link);
  });
  new ResizeObserver(() => {
    for (const box of panel.querySelectorAll("[data-chart]")) {
      if (box.chart && box.clientWidth) box.chart.setSize({ width: box.clientWidth, height: HEIGHT });
    }
  }).observe(panel);
  load(panel);
}

const panels = () => [...document.querySelectorAll("[data-metrics]")];

export function start() {
  for (const panel of panels()) if (!panel.begun) begin(panel);
}

if (typeof document !== "undefined") {
  start();
  document.addEventListener("htmx:afterSwap", start);
  setInterval(() => document.hidden || panels().forEach(load), EVERY);
  new MutationObserver(() => panels().forEach((panel) => panel.data && draw(panel, panel.data))).observe(
    document.documentElement,
    { attributes: true, attributeFilter: ["data-bs-theme"] },
  );
}
