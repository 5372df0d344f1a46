/* The page of one text: sends it, counts its tokens while it is written, and works the answer out for another share of
 * false texts. Without this file the form is sent as forms are, and the server draws the same page. */
import { $, Problem, ask, askJson, frequency, grouped, hideProblem, history, make, memory, random, root, sentences, showProblem } from "./common.js";

const form = $("check");
const result = $("result");
const COUNT_AFTER_MS = 350, COUNT_MOST = 400000;

/* --- another share of false texts: log-odds move by the difference of the shares' log-odds */
const logOdds = (p) => Math.log(p / (1 - p));
const share = (logit) => 1 / (1 + Math.exp(-logit));

function fill(box, p) {
  const { count, of } = frequency(p);
  for (const [name, value] of Object.entries({ of, fake: count, real: of - count }))
    for (const place of box.querySelectorAll(`[data-n=${name}]`)) place.textContent = grouped(value);
}

export function verdictAt(logit, threshold, forced) {
  const p = share(logit);
  if (forced || Number.isNaN(threshold)) return forced ? "unsure" : null;
  return p >= threshold ? "fake" : 1 - p >= threshold ? "real" : "unsure";
}

function workOut(prior) {
  const answer = result.querySelector(".answer");
  if (!answer || answer.dataset.logit === "" || answer.dataset.prior === "") return;
  const logit = Number(answer.dataset.logit) + logOdds(prior) - logOdds(Number(answer.dataset.prior));
  const threshold = answer.dataset.threshold === "" ? NaN : Number(answer.dataset.threshold);
  fill(answer.querySelector(".frequency"), share(logit));
  const on = Math.round(share(logit) * 100);
  answer.querySelectorAll(".dots circle").forEach((dot, i) => dot.setAttribute("class", i < on ? "on" : "off"));
  for (const turn of answer.querySelectorAll("[data-contribution]")) fill(turn, share(logit - Number(turn.dataset.contribution)));
  const verdict = answer.dataset.verdict === "none" ? null : verdictAt(logit, threshold, answer.dataset.forced === "true");
  if (verdict === null) return;
  answer.dataset.verdict = verdict;
  for (const line of answer.querySelectorAll("[data-say]")) line.hidden = line.dataset.say !== verdict;
}

function setPrior(value, isOurs) {
  for (const id of ["prior", "prior-again"]) {
    const select = $(id);
    if (!select) continue;
    if (![...select.options].some((o) => o.value === value)) continue;
    select.value = value;
  }
  if (!isOurs) return;
  memory.write("prior", value);
  workOut(Number(value));
  const line = result.querySelector("[data-say]:not([hidden])");
  if ($("status") && line) $("status").textContent = `${line.textContent.trim()}. ${result.querySelector(".frequency").textContent}`;
}

document.addEventListener("change", (event) => {
  if (event.target.id === "prior" || event.target.id === "prior-again") setPrior(event.target.value, true);
});

/* --- what is done with an answer */
document.addEventListener("click", (event) => {
  if (event.target.dataset.do === "print") print();
});

document.addEventListener("submit", async (event) => {
  const target = event.target;
  if (!target.dataset.feedback) return;
  event.preventDefault();
  const said = target.querySelector(".said"), data = new FormData(target);
  const remark = { prediction_id: target.dataset.feedback, label: data.get("label") };
  for (const key of ["name", "reason"]) if (data.get(key).trim()) remark[key] = data.get(key).trim();
  said.classList.remove("wrong");
  said.textContent = "Sending …";
  try {
    await askJson("v1/feedback", remark);
    said.textContent = `Noted as ${remark.label}. Thank you.`;
    memory.write("name", remark.name || "");
  } catch (problem) {
    said.classList.add("wrong");
    said.textContent = problem.message.replace(" Your text is still here.", "");
  }
});

function prepareFeedback() {
  const who = $("who");
  if (who && !who.value) who.value = memory.read("name", "");
}

/* --- the form */
const isLink = (text) => /^(https?:\/\/|www\.)\S+$/i.test(text.trim());

function check(title, text) {
  if (!title && !text) return new Problem("empty", "There is nothing to read yet. Paste a headline, an article, or both.", { canRetry: false });
  if (isLink(text) || (!text && isLink(title)))
    return new Problem("link", "That is a link. This page opens no links: please paste the text of the article.", { canRetry: false });
  return null;
}

let token = random(), tokenOf = null, isBusy = false;

async function send() {
  if (isBusy) return;
  const title = form.elements.title.value.trim(), text = form.elements.text.value;
  hideProblem();
  const problem = check(title, text.trim());
  if (problem) {
    showProblem(problem);
    form.elements[problem.kind === "link" && !text.trim() ? "title" : "text"].focus({ preventScroll: true });
    return $("problem").scrollIntoView({ block: "nearest" });
  }
  const data = new URLSearchParams(new FormData(form));
  /* the same question keeps its token, so that a repetition after a failure makes no second row in the log */
  const question = JSON.stringify([title, text, data.get("explain")]);
  if (question !== tokenOf) [token, tokenOf] = [random(), question];
  data.set("token", token);
  const prior = $("prior-again") || $("prior"); /* the one in sight */
  if (prior) data.set("prior", prior.value);
  data.set("part", "result");
  isBusy = true;
  const button = $("submit"), words = button.textContent;
  button.setAttribute("aria-disabled", "true");
  button.textContent = "Reading …";
  $("columns").setAttribute("aria-busy", "true");
  result.classList.add("busy");
  const begin = performance.now();
  try {
    const { text: html } = await ask("", { body: data, headers: { Accept: "text/html" } });
    show(html, performance.now() - begin, { title, text });
  } catch (problem) {
    showProblem(problem, send);
  } finally {
    isBusy = false;
    button.setAttribute("aria-disabled", "false");
    button.textContent = words;
    $("columns").removeAttribute("aria-busy");
    result.classList.remove("busy");
  }
}

function show(html, tookMs, { title, text }) {
  const parsed = new DOMParser().parseFromString(html, "text/html");
  const answer = parsed.querySelector(".answer");
  if (!answer) throw new Problem("broken", "The server's answer could not be read.");
  result.replaceChildren(...parsed.body.childNodes);
  $("columns").classList.add("has-result");
  $("round-trip").textContent = `, ${Math.round(tookMs)} ms with the way there and back`;
  prepareFeedback();
  const { id, verdict, p, prior } = answer.dataset;
  history.add({ id, time: new Date().toISOString(), title, words: text.trim().slice(0, 120), verdict, p: p === "" ? null : Number(p), prior: prior === "" ? null : Number(prior) });
  const line = result.querySelector(".verdict h2:not([hidden])");
  $("status").textContent = `${line.textContent.trim()}.`;
  line.tabIndex = -1;
  line.focus({ preventScroll: true });
  result.scrollIntoView({ block: innerWidth < 992 ? "start" : "nearest", behavior: matchMedia("(prefers-reduced-motion: no-preference)").matches ? "smooth" : "auto" });
}

/* --- tokens while it is written, and where the reading stops */
let counting = null, countTimer = 0;

function sayCount({ n_tokens, max_tokens, read_bytes, truncated }, text) {
  $("count-words").textContent = `${grouped(n_tokens)} ${n_tokens === 1 ? "token" : "tokens"}${max_tokens ? ` of ${grouped(max_tokens)} that the model’s encoder reads` : ""}.`;
  $("cut").hidden = !truncated;
  const shade = $("shade");
  shade.replaceChildren();
  if (!truncated) return;
  const read = new TextDecoder().decode(new TextEncoder().encode(text).subarray(0, read_bytes));
  const last = read.trimEnd().split(/\s+/).slice(-4).join(" ");
  $("cut-words").textContent = last ? `It stops after “… ${last}”. What is hatched reaches it no more.` : "It stops before the article begins.";
  shade.append(read, make("span", { class: "unread" }, text.slice(read.length)), "\n");
  place();
}

function place() {
  const text = $("text"), shade = $("shade");
  shade.scrollTop = text.scrollTop;
}

async function count() {
  const title = $("title").value, text = $("text").value;
  counting?.abort();
  if (!(title + text).trim() || text.length > COUNT_MOST) {
    $("cut").hidden = true;
    $("shade").replaceChildren();
    $("count-words").textContent = text ? `${grouped(text.length)} characters.` : "The whole text, please: a headline alone says little.";
    return;
  }
  counting = new AbortController();
  try {
    const { value } = await askJson("v1/tokens", { title, text }, { signal: counting.signal, timeout: 5000 });
    if ($("text").value === text) sayCount(value, text);
  } catch { /* a count is no matter to interrupt anybody for */ }
}

function written() {
  if (["empty", "link"].includes($("problem").dataset.kind)) hideProblem();
  $("clear").hidden = !($("title").value || $("text").value);
  try {
    sessionStorage.setItem("fakenews.draft", JSON.stringify([$("title").value, $("text").value]));
  } catch { /* not kept then */ }
  clearTimeout(countTimer);
  $("shade").replaceChildren();
  countTimer = setTimeout(count, COUNT_AFTER_MS);
}

function restore() {
  if ($("title").value || $("text").value) return;
  try {
    const [title, text] = JSON.parse(sessionStorage.getItem("fakenews.draft")) || ["", ""];
    [$("title").value, $("text").value] = [title, text];
  } catch { /* nothing was kept */ }
}

if (form) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  form.addEventListener("input", (event) => (event.target.id === "text" || event.target.id === "title") && written());
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      send();
    }
  });
  $("text").addEventListener("scroll", place);
  new ResizeObserver(place).observe($("text"));
  $("clear").addEventListener("click", () => {
    $("title").value = $("text").value = "";
    result.replaceChildren();
    $("columns").classList.remove("has-result");
    hideProblem();
    written();
    $("title").focus();
  });
  $("key").hidden = false;
  restore();
  const kept = memory.read("prior", null);
  if (kept && !result.querySelector(".answer")) setPrior(kept, false);
  $("clear").hidden = !($("title").value || $("text").value);
  if ($("title").value || $("text").value) count();
}
prepareFeedback();
