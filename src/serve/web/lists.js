/* The lists: answers that readers dispute (of the server), and what was checked in this browser. */
import { $, ask, frequency, grouped, history, make, memory, root, sentences, showProblem, signs } from "./common.js";

const time = (iso) => make("time", { datetime: iso }, new Date(iso).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" }));

function numberOf(p) {
  if (p === null || p === undefined) return "";
  const { count, of } = frequency(p);
  return `, ${grouped(count)} of ${grouped(of)} for fake`;
}

/* What this browser remembers of a prediction, when the server keeps no text. */
const wordsOf = (id) => {
  const entry = history.all().find((e) => e.id === id);
  return entry ? entry.title || entry.words : "";
};

function entryOf({ id, words, verdict, p, at, remark }) {
  const link = id ? make("a", { href: `${root}predictions/${id}` }, words || `Answer ${id.slice(0, 10)}…`) : words || "–";
  return make("li", {}, make("span", { class: "what" }, link),
    make("span", {}, make("span", { class: `tag ${verdict}` }, `${signs[verdict] || ""} `), `${sentences[verdict] || verdict}${numberOf(p)}`),
    ...(remark ? [make("span", {}, "A reader says ", make("strong", {}, remark.label), ...(remark.name ? [` (${remark.name})`] : []), ...(remark.reason ? [`: ${remark.reason}`] : ""))] : []),
    ...(at ? [make("span", { class: "hint" }, time(at))] : []));
}

async function showDisputed() {
  const box = $("disputed");
  try {
    const { text } = await ask("v1/feedback?disputed=1&limit=100", { headers: { Accept: "application/json" } });
    const value = JSON.parse(text), items = Array.isArray(value) ? value : value.items || [];
    box.replaceChildren(items.length === 0 ? make("p", {}, "Nobody has contradicted an answer yet.")
      : make("ul", { class: "list" }, ...items.map((item) => entryOf({ id: item.prediction_id || item.id, words: item.title || wordsOf(item.prediction_id || item.id),
        verdict: item.verdict || item.predicted || "none", p: item.p_fake ?? null, at: item.time, remark: item.feedback || item }))));
  } catch (problem) {
    box.replaceChildren();
    box.hidden = true;
    showProblem(problem, () => {
      box.hidden = false;
      showDisputed();
    });
  }
  box.setAttribute("aria-busy", "false");
}

function showHistory() {
  const entries = history.all();
  $("history").replaceChildren(entries.length === 0 ? make("p", {}, "Nothing yet. What you check on this device will stand here.")
    : make("ul", { class: "list" }, ...entries.map((e) => entryOf({ id: e.id, words: e.title || e.words, verdict: e.verdict, p: e.p, at: e.time }))));
  $("forget").hidden = entries.length === 0;
}

if ($("disputed")) showDisputed();
if ($("history")) {
  showHistory();
  $("remember").checked = history.isKept();
  $("remember").addEventListener("change", () => memory.write("remember", $("remember").checked));
  $("forget").addEventListener("click", () => {
    memory.forget("history");
    showHistory();
    $("status").textContent = "The history is empty.";
    $("remember").focus();
  });
}
