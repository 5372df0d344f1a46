/* Comfort over a page that is whole without it: which runs are drawn, values at a step, axes, smoothing, sorting. */
(() => {
"use strict";
const root = document.documentElement;
const data = JSON.parse(document.getElementById("data").textContent);
root.classList.add("js");
const W = 360, H = 240, L = 44, R = 84, T = 12, B = 36; // line_chart.c has the same numbers
const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];
const off = new Set();

// ---- which runs are drawn

function show() {
  for (const e of $$("g[data-run]")) e.classList.toggle("off-run", off.has(Number(e.dataset.run)));
  for (const e of $$("#summary tr[data-run]")) e.classList.toggle("off", off.has(Number(e.dataset.run)));
  for (const e of $$("[data-shows]")) e.checked = !off.has(Number(e.dataset.shows));
}
for (const box of $$("[data-shows]"))
  box.addEventListener("change", () => { const run = Number(box.dataset.shows); box.checked ? off.delete(run) : off.add(run); show(); });
const all = document.getElementById("all"), none = document.getElementById("none");
if (all) all.addEventListener("click", () => { off.clear(); show(); });
if (none) none.addEventListener("click", () => { data.runs.forEach((_, i) => off.add(i)); show(); });

// ---- numbers

function words(v) {
  if (v === null || v === undefined) return "–";
  const a = Math.abs(v);
  if (a !== 0 && (a >= 1e6 || a < 1e-3)) return v.toExponential(2);
  return String(Number(v.toPrecision(4)));
}
function ticks(low, high, log, whole, most) {
  const out = [];
  if (log) {
    const from = Math.ceil(Math.log10(low) - 1e-9), to = Math.floor(Math.log10(high) + 1e-9);
    const every = to < from ? 1 : Math.floor((to - from) / most) + 1;
    for (let e = from; e <= to; e += every) out.push(10 ** e);
    if (out.length > 2) return out;
    out.length = 0;
    for (let e = from - 1; e <= to; e++) for (const m of [1, 2, 5]) if (m * 10 ** e >= low && m * 10 ** e <= high) out.push(m * 10 ** e);
    if (out.length > 1) return out;
    out.length = 0;
  }
  const rough = (high - low) / most, decade = 10 ** Math.floor(Math.log10(rough)), m = rough / decade;
  let step = decade * (m <= 1 ? 1 : m <= 2 ? 2 : m <= 5 ? 5 : 10);
  if (whole && step < 1) step = 1;
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * (high - low) && out.length < 12; k++) out.push(k * step);
  return out;
}

// ---- charts

const charts = [];
function smooth(curve, window) {
  if (window <= 0 || curve.x.length < 3) return curve.y;
  const span = (curve.x[curve.x.length - 1] - curve.x[0]) * window / 400 || 1;
  let sum = 0, weight = 0, last = curve.x[0];
  return curve.y.map((y, i) => {
    if (y === null) return null;
    const keep = Math.exp(-Math.max(curve.x[i] - last, span / 1000) / span);
    last = curve.x[i];
    sum = sum * keep + y * (1 - keep);
    weight = weight * keep + (1 - keep);
    return sum / weight;
  });
}
function path(chart, xs, ys) {
  let d = "", down = false;
  for (let i = 0; i < xs.length; i++) {
    if (ys[i] === null || (chart.log && ys[i] <= 0)) { down = false; continue; }
    d += `${down ? "L" : "M"}${chart.px(xs[i]).toFixed(1)} ${chart.py(ys[i]).toFixed(1)}`;
    down = true;
  }
  return d;
}
function scale(chart, log) {
  let x0 = Infinity, x1 = -Infinity, y0 = Infinity, y1 = -Infinity;
  for (const curve of chart.curves)
    curve.y.forEach((y, i) => {
      if (y === null) return;
      x0 = Math.min(x0, curve.x[i]); x1 = Math.max(x1, curve.x[i]); y0 = Math.min(y0, y); y1 = Math.max(y1, y);
    });
  if (x0 === x1) { if (x0 > 0) x0 -= 1; x1 += 1; }
  chart.log = log && y0 > 0;
  if (chart.log) {
    const room = y0 < y1 ? (y1 / y0) ** 0.04 : 2;
    y0 /= room; y1 *= room;
  } else {
    let room = 0.05 * (y1 - y0);
    if (room <= 1e-12 * (Math.abs(y0) + Math.abs(y1))) room = y0 === 0 && y1 === 0 ? 1 : 0.1 * Math.abs(y1);
    y0 -= room; y1 += room;
  }
  const f = chart.log ? Math.log : (v) => v;
  chart.px = (x) => L + (x - x0) / (x1 - x0) * (W - L - R);
  chart.py = (y) => H - B - Math.min(1, Math.max(0, (f(y) - f(y0)) / (f(y1) - f(y0)))) * (H - T - B);
  Object.assign(chart, { x0, x1, y0, y1 });
}
function redraw(chart, mode, window) {
  scale(chart, mode === "log" || (mode === "auto" && chart.svg.dataset.log === "1"));
  const marks = ticks(chart.y0, chart.y1, chart.log, false, 6), axes = chart.svg.querySelector(".axes");
  axes.querySelector(".grid").setAttribute("d", marks.map((t) => `M${L} ${chart.py(t).toFixed(1)}H${W - R}`).join(""));
  for (const text of $$("text", axes)) if (text.getAttribute("text-anchor") === "end") text.remove();
  for (const t of marks) {
    const text = document.createElementNS("http://www.w3.org/2000/svg", "text");
    text.setAttribute("class", "tick");
    text.setAttribute("x", L - 5);
    text.setAttribute("y", chart.py(t) + 4);
    text.setAttribute("text-anchor", "end");
    text.textContent = words(t);
    axes.append(text);
  }
  const ends = [];
  for (const curve of chart.curves) {
    const group = chart.svg.querySelector(`g[data-run="${curve.run}"]`), raw = group.querySelector(".raw");
    const y = smooth(curve, window);
    group.querySelector(".line").setAttribute("d", path(chart, curve.x, y));
    if (raw) raw.setAttribute("d", path(chart, curve.x, curve.y));
    const mark = group.querySelector(".mark");
    if (!mark) continue;
    const shape = mark.dataset.shape ??= mark.getAttribute("d").split("M")[1].replace(/^[\d.-]+ [\d.-]+/, "");
    let d = "", next = -Infinity, end = null;
    curve.x.forEach((x, i) => {
      if (y[i] === null || (chart.log && y[i] <= 0)) return;
      end = chart.py(y[i]);
      if (chart.px(x) < next && i + 1 < curve.x.length) return;
      d += `M${chart.px(x).toFixed(1)} ${end.toFixed(1)}${shape}`;
      next = chart.px(x) + (W - L - R) / 4;
    });
    mark.setAttribute("d", d);
    const label = chart.svg.querySelector(`g[data-run="${curve.run}"] text.label`);
    if (label && end !== null) ends.push({ label, y: end + 4 });
  }
  // labels apart from each other, as fn_svg_spread does it
  ends.sort((a, b) => a.y - b.y);
  ends.forEach((e, i) => { e.y = Math.max(e.y, i ? ends[i - 1].y + 12.5 : T + 6); });
  for (let i = ends.length - 1; i >= 0; i--) ends[i].y = Math.min(ends[i].y, i + 1 < ends.length ? ends[i + 1].y - 12.5 : H - B);
  for (const e of ends) e.label.setAttribute("y", e.y.toFixed(1));
}
function readout(chart, x) {
  let line = chart.svg.querySelector(".cursor"), step = null;
  for (const curve of chart.curves)
    if (!off.has(curve.run)) for (const at of curve.x) if (step === null || Math.abs(at - x) < Math.abs(step - x)) step = at;
  if (step === null) return;
  const said = [];
  for (const curve of chart.curves) {
    if (off.has(curve.run) || said.length > 11) continue;
    let best = -1;
    curve.x.forEach((at, i) => { if (curve.y[i] !== null && (best < 0 || Math.abs(at - step) <= Math.abs(curve.x[best] - step))) best = i; });
    if (best >= 0) said.push(`${data.runs[curve.run].letter} ${words(curve.y[best])}${curve.x[best] === step ? "" : ` (at ${curve.x[best]})`}`);
  }
  if (!line) {
    line = document.createElementNS("http://www.w3.org/2000/svg", "path");
    line.setAttribute("class", "cursor");
    chart.svg.append(line);
  }
  line.setAttribute("d", `M${chart.px(step).toFixed(1)} ${T}V${H - B}`);
  chart.step = step;
  chart.said.textContent = `${chart.svg.dataset.x} ${step}: ${said.join(" · ")}`;
}
for (const figure of $$("figure.chart")) {
  const svg = figure.querySelector("svg[data-log]"), curves = svg && data.curves[figure.querySelector("h3").textContent];
  if (!curves) continue;
  const chart = { svg, curves, said: figure.querySelector(".readout"), step: null };
  charts.push(chart);
  scale(chart, svg.dataset.log === "1");
  const steps = [...new Set(curves.flatMap((c) => c.x))].sort((a, b) => a - b);
  svg.setAttribute("tabindex", "0");
  svg.addEventListener("pointermove", (e) => {
    const box = svg.getBoundingClientRect(), x = (e.clientX - box.left) / box.width * W;
    readout(chart, chart.x0 + (x - L) / (W - L - R) * (chart.x1 - chart.x0));
  });
  svg.addEventListener("keydown", (e) => {
    if (!["ArrowLeft", "ArrowRight", "Home", "End"].includes(e.key)) return;
    e.preventDefault();
    const at = steps.indexOf(chart.step), by = Math.max(1, Math.round(steps.length / 60));
    const next = { ArrowLeft: at - by, ArrowRight: at + by, Home: 0, End: steps.length - 1 }[e.key];
    readout(chart, steps[Math.min(steps.length - 1, Math.max(0, next))]);
  });
}
const axis = document.getElementById("axis"), smoothing = document.getElementById("smoothing");
function again() {
  const window = Number(smoothing.value);
  document.getElementById("smoothing-words").textContent = window === 0 ? "the values as they are" : `over about ${words(window / 4)} % of the steps`;
  for (const chart of charts) redraw(chart, axis.value, window);
}
if (axis) {
  axis.addEventListener("change", again);
  smoothing.addEventListener("input", again);
}

// ---- sorting

for (const table of $$("table.sortable")) {
  $$("thead th", table).forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of $$("thead th", table)) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => {
        const cell = row.cells[column];
        if (cell.dataset.sort !== undefined) return cell.dataset.sort === "null" ? null : Number(cell.dataset.sort);
        return cell.classList.contains("none") ? null : cell.textContent;
      };
      const body = table.tBodies[0], rows = [...body.rows].map((row) => [key(row), row]);
      rows.sort(([a], [b]) => {
        if (a === null || b === null) return (a === null) - (b === null);
        const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
        return down ? -order : order;
      });
      body.append(...rows.map(([, row]) => row));
    });
  });
}
})();
