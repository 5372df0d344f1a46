/* The lists: answers that readers dispute (of the server), and what was checked in this browser. */
import { $, frequency, grouped, history, make, memory, root, sentences, signs } from "./common.js";

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

function entryOf({ id, words, verdict, p, at }) {
  const link = id ? make("a", { href: `${root}predictions/${id}` }, words || `Answer ${id.slice(0, 10)}…`) : words || "–";
  return make("li", {}, make("span", { class: "what" }, link),
    make("span", {}, make("span", { class: `tag ${verdict}` }, `${signs[verdict] || ""} `), `${sentences[verdict] || verdict}${numberOf(p)}`),
    ...(at ? [make("span", { class: "hint" }, time(at))] : []));
}

/* The server may not keep texts; what this browser remembers of its own says more than an id. */
function nameDisputed() {
  for (const link of document.querySelectorAll("[data-words]")) {
    const words = wordsOf(link.dataset.words);
    if (words && link.textContent.startsWith("Answer p_")) link.textContent = words;
  }
}

function showHistory() {
  const entries = history.all();
  $("history").replaceChildren(entries.length === 0 ? make("p", {}, "Nothing yet. What you check on this device will stand here.")
    : make("ul", { class: "list" }, ...entries.map((e) => entryOf({ id: e.id, words: e.title || e.words, verdict: e.verdict, p: e.p, at: e.time }))));
  $("forget").hidden = entries.length === 0;
}

if ($("disputed")) nameDisputed();
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
