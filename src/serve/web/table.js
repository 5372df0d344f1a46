/* The page of a table: reads a CSV file here, asks for its rows slice by slice, shows and saves the answers. */
import { $, Problem, askJson, bytes, frequency, grouped, hideProblem, make, memory, showProblem, signs } from "./common.js";
import { CsvError, decode, format, parse, separatorOf } from "./csv.js";

const MOST_BYTES = 100e6, PREVIEW_ROWS = 5, SHOWN_AT_ONCE = 200, TRIES = 6;
const COLUMNS = { title: /^(title|headline|heading|titel|subject)$/i, text: /^(text|article|body|content|story|texte)$/i };
const ADDED = ["predicted_label", "probability_real", "probability_fake", "verdict", "calibrated", "reasons", "n_tokens", "truncated", "n_windows", "model", "error"];

let table = null; /* {name, header, rows, answers, model, done} */
let control = null; /* of the run that is going on */
let view = { order: [], shown: 0, by: "row", down: false };

/* --- the file */
async function open(file) {
  hideProblem();
  $("answers").hidden = $("setup").hidden = $("running").hidden = true;
  table = null;
  try {
    if (file.size > MOST_BYTES) throw new CsvError(`The file has ${bytes(file.size)}; a browser is not the place for more than ${bytes(MOST_BYTES)}. The program takes it: fakenews predict ${file.name}.`);
    const { text, encoding } = decode(await file.arrayBuffer());
    const separator = separatorOf(text), rows = parse(text, separator);
    if (rows.length === 0) throw new CsvError("The file is empty.");
    if (rows.length === 1) throw new CsvError("The file has one line only, the names of its columns: there is no row to check.");
    const [header, ...rest] = rows;
    table = { name: file.name, header, rows: rest, answers: [], model: "", done: 0, encoding, separator };
    setUp();
  } catch (error) {
    showProblem(new Problem("file", error instanceof CsvError ? error.message : "The file could not be read.", { canRetry: false }));
  }
}

function setUp() {
  for (const kind of ["title", "text"]) {
    const guess = table.header.findIndex((name) => COLUMNS[kind].test(name.trim()));
    const select = $(`column-${kind}`);
    select.replaceChildren(make("option", { value: "" }, "none"), ...table.header.map((name, i) => make("option", { value: i, selected: i === guess }, name || `column ${i + 1}`)));
  }
  if (!$("column-title").value && !$("column-text").value && table.header.length === 1) $("column-text").value = "0";
  $("setup").hidden = false;
  const names = { ",": "commas", ";": "semicolons", "\t": "tabs" };
  $("preview-name").textContent = `${table.name}: ${grouped(table.rows.length)} ${table.rows.length === 1 ? "row" : "rows"}, ${table.header.length} columns between ${names[table.separator]}, ${table.encoding}.`;
  $("run").textContent = "Check all rows";
  preview();
}

function preview() {
  const chosen = new Set([$("column-title").value, $("column-text").value]);
  const mark = (i) => (chosen.has(String(i)) ? "chosen" : null);
  $("preview").replaceChildren(
    make("thead", {}, make("tr", {}, ...table.header.map((name, i) => make("th", { scope: "col", class: mark(i) }, name)))),
    make("tbody", {}, ...table.rows.slice(0, PREVIEW_ROWS).map((row) => make("tr", {}, ...table.header.map((_, i) => make("td", { class: mark(i) }, (row[i] ?? "").slice(0, 120)))))));
}

/* --- the run */
const pick = (row, id) => ($(id).value === "" ? "" : row[Number($(id).value)] ?? "");

function itemOf(row) {
  const item = {}, title = pick(row, "column-title"), text = pick(row, "column-text");
  if (title.trim()) item.title = title;
  if (text.trim()) item.text = text;
  return item;
}

/* What is wrong with a row before anybody is asked. */
function faultOf(row) {
  if (row.length !== table.header.length) return `the row has ${row.length} fields, the first line names ${table.header.length}`;
  if (Object.keys(itemOf(row)).length === 0) return "there is nothing to read in it";
  return null;
}

/* As many of the next rows as one request takes. */
function nextSlice(from, most, mostBytes) {
  const places = [], items = [];
  let size = 0, at = from;
  for (; at < table.rows.length && items.length < most; at++) {
    const fault = faultOf(table.rows[at]);
    if (fault) {
      table.answers[at] = { error: { code: "row", detail: fault } };
      continue;
    }
    const item = itemOf(table.rows[at]), more = new Blob([JSON.stringify(item)]).size + 1;
    if (items.length && size + more > mostBytes) break;
    size += more;
    places.push(at);
    items.push(item);
  }
  return { places, items, end: at };
}

const sleep = (ms, signal) => new Promise((resolve) => {
  const timer = setTimeout(resolve, ms);
  signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); });
});

/* A busy server is waited for, as long as it says. */
async function askSlice(items, signal) {
  for (let i = 1; ; i++) {
    try {
      return (await askJson("v1/classify/batch", { items, ...priorOf() }, { signal, timeout: 120000 })).value;
    } catch (problem) {
      if (!["busy", "too-many"].includes(problem.kind) || i === TRIES || signal.aborted) throw problem;
      $("progress-words").textContent = `The server is busy; going on in ${problem.wait} s …`;
      await sleep(problem.wait * 1000, signal);
      if (signal.aborted) throw new Problem("stopped", "Stopped.");
    }
  }
}

/* Where it is the model's own share there is nothing to shift, and rows that are not calibrated are no mistake. */
function priorOf() {
  const prior = Number($("table-prior")?.value);
  return $("table-prior") && Math.abs(prior - Number(document.body.dataset.prior)) > 1e-6 ? { prior } : {};
}

function sayProgress(begin) {
  const { done, rows } = table, left = rows.length - done, seconds = (performance.now() - begin.at) / 1000, speed = (done - begin.done) / seconds;
  $("bar").max = rows.length;
  $("bar").value = done;
  $("progress-words").textContent = left === 0 ? `All ${grouped(rows.length)} rows are answered.`
    : `${grouped(done)} of ${grouped(rows.length)} rows${speed > 0 && seconds > 2 ? `, about ${grouped(Math.max(1, left / speed))} s to go` : ""}.`;
}

async function run() {
  if (control) return;
  if ($("column-title").value === "" && $("column-text").value === "")
    return showProblem(new Problem("columns", "Choose the column of headlines, the column of texts, or both.", { canRetry: false }));
  hideProblem();
  if (table.done === table.rows.length || table.done === 0) Object.assign(table, { answers: [], done: 0 });
  const most = Math.min(Math.max(Math.trunc(Number($("batch").value)) || 32, 1), Number($("batch").max));
  $("batch").value = most;
  const mostBytes = 0.9 * (Number(document.body.dataset.maxBody) || 1e6), begin = { at: performance.now(), done: table.done };
  control = new AbortController();
  setRunning(true);
  let failure = null;
  try {
    while (table.done < table.rows.length && !control.signal.aborted) {
      const { places, items, end } = nextSlice(table.done, most, mostBytes);
      if (items.length) {
        const value = await askSlice(items, control.signal);
        table.model = value.model || table.model;
        places.forEach((place, i) => { table.answers[place] = value.items[i]; });
      }
      table.done = end;
      sayProgress(begin);
    }
  } catch (problem) {
    failure = problem;
  }
  control = null;
  setRunning(false);
  finish(failure);
}

function setRunning(isRunning) {
  $("running").hidden = false;
  $("cancel").hidden = !isRunning;
  $("run").hidden = isRunning;
  for (const id of ["file", "batch", "column-title", "column-text", "table-prior"]) if ($(id)) $(id).disabled = isRunning;
  if (isRunning) {
    $("progress-words").textContent = "Asking …";
    $("cancel").focus();
  }
}

function finish(failure) {
  const isWhole = table.done === table.rows.length;
  $("run").textContent = isWhole ? "Check all rows again" : `Go on from row ${grouped(table.done + 1)}`;
  if (!isWhole) $("progress-words").textContent = `Stopped after ${grouped(table.done)} of ${grouped(table.rows.length)} rows; these are kept.`;
  if (failure && failure.kind !== "stopped") failure.message = failure.message.replace("Your text is still here", "The answers so far are kept");
  if (table.done) showAnswers();
  if (failure) showProblem(failure, run, $("problem"), "Go on");
  else if (isWhole) $("answers-name").focus();
  else $("run").focus();
}

/* --- the answers */
const probability = (answer) => answer?.probabilities?.fake ?? null;
const verdictOf = (answer) => (answer.error ? "error" : answer.verdict || answer.label);

const SORTED_BY = {
  row: (i) => i,
  words: (i) => wordsOf(i).toLowerCase(),
  verdict: (i) => verdictOf(table.answers[i]),
  fake: (i) => probability(table.answers[i]) ?? -1,
  tokens: (i) => table.answers[i].n_tokens ?? -1,
};
const HEADS = [["row", "Row", "number"], ["words", "Headline or first words", ""], ["verdict", "Verdict", ""], ["fake", "For fake", "number"], ["tokens", "Tokens", "number"]];

const wordsOf = (i) => (pick(table.rows[i], "column-title").trim() || pick(table.rows[i], "column-text").trim()).slice(0, 140);

function sort(by) {
  view.down = view.by === by ? !view.down : by === "fake" || by === "tokens";
  view.by = by;
  arrange();
}

function arrange() {
  const key = SORTED_BY[view.by], sign = view.down ? -1 : 1;
  const keys = new Map(table.answers.map((_, i) => [i, key(i)]));
  view.order = [...keys.keys()].sort((a, b) => (keys.get(a) < keys.get(b) ? -sign : keys.get(a) > keys.get(b) ? sign : a - b));
  $("answer-table").tHead.replaceChildren(make("tr", {}, ...HEADS.map(([name, words, kind]) => {
    const button = make("button", { type: "button" }, words);
    button.addEventListener("click", () => {
      sort(name);
      $("answer-table").tHead.querySelector(`[data-by=${name}] button`).focus();
    });
    return make("th", { scope: "col", class: kind || null, "data-by": name, "aria-sort": view.by === name ? (view.down ? "descending" : "ascending") : "none" }, button);
  })));
  $("answer-table").tBodies[0].replaceChildren();
  view.shown = 0;
  showMore();
}

function rowOf(i) {
  const answer = table.answers[i], p = probability(answer);
  const cells = [make("th", { scope: "row", class: "number" }, grouped(i + 1)), make("td", { class: "first-words" }, wordsOf(i) || "–")];
  if (answer.error) return make("tr", {}, ...cells, make("td", { colspan: 3 }, make("span", { class: "tag error" }, `Not read: ${answer.error.detail || answer.error.code}`)));
  const verdict = verdictOf(answer), { count, of } = p === null ? {} : frequency(p);
  const reasons = (answer.reasons || []).map((r) => r.code.replaceAll("_", " ")).join(", ");
  return make("tr", {}, ...cells,
    make("td", {}, make("span", { class: `tag ${verdict}` }, `${signs[verdict] || ""} ${verdict}`), ...(reasons ? [make("div", { class: "hint" }, reasons)] : [])),
    make("td", { class: "number" }, p === null ? "–" : `${grouped(count)} of ${grouped(of)}`),
    make("td", { class: "number" }, `${grouped(answer.n_tokens ?? 0)}${answer.truncated ? "+" : ""}`));
}

function showMore() {
  const next = view.order.slice(view.shown, view.shown + SHOWN_AT_ONCE);
  $("answer-table").tBodies[0].append(...next.map(rowOf));
  view.shown += next.length;
  const left = view.order.length - view.shown;
  $("more").hidden = left === 0;
  $("more").textContent = `Show ${grouped(Math.min(left, SHOWN_AT_ONCE))} more of ${grouped(left)} rows`;
}

function showAnswers() {
  const n = { fake: 0, real: 0, unsure: 0, error: 0 };
  for (const answer of table.answers) n[verdictOf(answer)]++;
  const rows = (k) => `${grouped(k)} ${k === 1 ? "row reads" : "rows read"}`;
  $("summary").textContent = `${rows(n.fake)} like items labelled fake, ${grouped(n.real)} like items labelled real; ${grouped(n.unsure)} could be either${n.error ? `; ${grouped(n.error)} could not be read` : ""}. This is about style, not about truth.`;
  $("answers").hidden = false;
  view = { ...view, by: "row", down: false };
  arrange();
}

function addedOf(answer) {
  if (answer.error) return ADDED.map((name) => (name === "error" ? answer.error.detail || answer.error.code : ""));
  const reasons = (answer.reasons || []).map((r) => r.code).join(" ");
  return [answer.label, answer.probabilities?.real, answer.probabilities?.fake, answer.verdict, answer.calibrated, reasons, answer.n_tokens, answer.truncated, answer.n_windows, table.model, ""];
}

function download() {
  const rows = table.answers.map((answer, i) => [...table.header.map((_, c) => table.rows[i][c] ?? ""), ...addedOf(answer)]);
  const text = ($("bom").checked ? "\uFEFF" : "") + format([[...table.header, ...ADDED], ...rows]);
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  const link = make("a", { href: address, download: table.name.replace(/\.[^.]*$/, "") + "-answers.csv" });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

/* --- controls */
$("table-form").addEventListener("submit", (event) => event.preventDefault());
$("file").addEventListener("change", () => $("file").files[0] && open($("file").files[0]));
for (const name of ["dragenter", "dragover"])
  $("drop").addEventListener(name, (event) => {
    event.preventDefault();
    $("drop").classList.add("over");
  });
for (const name of ["dragleave", "drop"]) $("drop").addEventListener(name, () => $("drop").classList.remove("over"));
$("drop").addEventListener("drop", (event) => {
  event.preventDefault();
  const file = event.dataTransfer.files[0];
  if (!file || control) return;
  const list = new DataTransfer();
  list.items.add(file);
  $("file").files = list.files;
  open(file);
});
for (const id of ["column-title", "column-text"]) $(id).addEventListener("change", () => {
  table.done = 0;
  preview();
});
$("table-prior")?.addEventListener("change", () => {
  memory.write("prior", $("table-prior").value);
  if (table) table.done = 0;
});
const kept = memory.read("prior", null);
if (kept && $("table-prior") && [...$("table-prior").options].some((o) => o.value === kept)) $("table-prior").value = kept;
$("run").addEventListener("click", run);
$("cancel").addEventListener("click", () => control?.abort());
$("more").addEventListener("click", showMore);
$("download").addEventListener("click", download);
addEventListener("beforeunload", (event) => control && event.preventDefault());
