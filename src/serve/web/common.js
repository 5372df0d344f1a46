/* What the pages share: asking the server, saying what went wrong, and what this browser remembers. */
export const root = document.body.dataset.root;
export const $ = (id) => document.getElementById(id);
document.documentElement.classList.add("js");

const TIMEOUT_MS = 30000;

/* An element with its attributes and children; text is text, never HTML. */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== null && value !== false) element.setAttribute(key, value === true ? "" : value);
  element.append(...children);
  return element;
}

export const grouped = (n) => Math.round(n).toLocaleString("en");

export function bytes(n) {
  for (const unit of ["bytes", "kB", "MB"]) {
    if (n < 1000 || unit === "MB") return `${unit === "bytes" || n >= 10 ? Math.round(n) : n.toFixed(1)} ${unit}`;
    n /= 1000;
  }
}

export function random() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
}

/* A failure in words a reader can act on. */
export class Problem extends Error {
  constructor(kind, text, { wait = 0, canRetry = true, signIn = false } = {}) {
    super(text);
    Object.assign(this, { kind, wait, canRetry, signIn });
  }
}

function waitOf(response, otherwise) {
  const value = response.headers.get("Retry-After");
  if (value === null) return otherwise;
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.min(Math.max(Math.ceil(seconds), 1), 3600) : otherwise;
}

async function problemOf(response) {
  const limit = Number(document.body.dataset.maxBody);
  let detail = "";
  try {
    if (/json/.test(response.headers.get("Content-Type") || "")) detail = (await response.json()).detail || "";
  } catch { /* the status says enough */ }
  const id = response.headers.get("X-Request-Id");
  const where = id ? ` The operator finds it under request ${id}.` : "";
  switch (response.status) {
    case 401: return new Problem("signin", "This server wants a key. Sign in, then come back: your text stays here.", { canRetry: false, signIn: true });
    case 403: return new Problem("forbidden", "Your key, or this page, is not allowed to do that. Load the page again; if that does not help, sign in with another key.", { canRetry: false, signIn: true });
    case 413: return new Problem("too-long", `That is more than this server takes${limit ? ` (${bytes(limit)} at once)` : ""}. Shorten it and try again: the beginning counts most.`);
    case 422: return new Problem("refused", typeof detail === "string" && detail ? `The server cannot read that: ${detail}` : "The server cannot read that.");
    case 429: return new Problem("too-many", "That was too many questions in a short time. Your text is still here.", { wait: waitOf(response, 10) });
    case 503: return new Problem("busy", "The server has more to do than it can right now. Your text is still here.", { wait: waitOf(response, 5) });
    case 502: case 504: case 408: return new Problem("timeout", "The server took too long. Your text is still here.");
    default: return new Problem("broken", `The server failed at that (status ${response.status}).${where}`);
  }
}

/* Answers of the server; everything else is a Problem. `signal` of the caller ends it without a word. */
export async function ask(path, { body, headers = {}, signal, timeout = TIMEOUT_MS, method } = {}) {
  const control = new AbortController();
  let isLate = false;
  const timer = setTimeout(() => { isLate = true; control.abort(); }, timeout);
  const stop = () => control.abort();
  signal?.addEventListener("abort", stop);
  if (signal?.aborted) control.abort();
  const csrf = document.body.dataset.csrf;
  try {
    const response = await fetch(root + path, {
      method: method || (body === undefined ? "GET" : "POST"), body, signal: control.signal, credentials: "same-origin", cache: "no-store",
      redirect: "error", headers: { ...(csrf ? { "X-CSRF-Token": csrf } : {}), ...headers } });
    if (!response.ok) throw await problemOf(response);
    return { response, text: await response.text() };
  } catch (error) {
    if (error instanceof Problem) throw error;
    if (isLate) throw new Problem("timeout", `No answer within ${Math.round(timeout / 1000)} seconds. Your text is still here.`);
    if (signal?.aborted) throw new Problem("stopped", "Stopped.");
    if (!navigator.onLine) throw new Problem("offline", "You are offline. Your text is still here; try again when the connection is back.");
    throw new Problem("offline", "The server cannot be reached. Your text is still here.");
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}

export async function askJson(path, value, options = {}) {
  const { response, text } = await ask(path, { ...options, body: JSON.stringify(value),
    headers: { "Content-Type": "application/json", Accept: "application/json", ...options.headers } });
  try {
    return { value: JSON.parse(text), response };
  } catch {
    throw new Problem("broken", "The server's answer could not be read.");
  }
}

let counting = 0;

export function hideProblem(box = $("problem")) {
  clearInterval(counting);
  box.hidden = true;
  box.dataset.kind = "";
  box.replaceChildren();
}

/* Shows it with a way on. While the server wants a pause the button counts down, silently for screen readers. */
export function showProblem(problem, retry, box = $("problem"), words = "Try again") {
  hideProblem(box);
  if (problem.kind === "stopped") return;
  box.dataset.kind = problem.kind;
  const text = make("p");
  box.append(text);
  box.hidden = false;
  text.textContent = problem.message + (problem.wait ? ` It asks for a pause of ${problem.wait} s.` : "");
  if (problem.signIn) box.append(make("p", {}, make("a", { href: `${root}signin?next=${encodeURIComponent(location.pathname)}` }, "Sign in")));
  if (!problem.canRetry || !retry) return box.focus();
  const button = make("button", { type: "button", class: "secondary", "aria-live": "off" }, words);
  box.append(button);
  let left = problem.wait;
  const tick = () => {
    button.setAttribute("aria-disabled", left > 0 ? "true" : "false");
    button.textContent = left > 0 ? `${words} in ${left} s` : words;
    if (left-- <= 0) clearInterval(counting);
  };
  if (left > 0) {
    tick();
    counting = setInterval(tick, 1000);
  }
  button.addEventListener("click", () => {
    if (button.getAttribute("aria-disabled") === "true") return;
    hideProblem(box);
    retry();
  });
  button.focus();
}

/* Storage may be closed to us; then nothing is remembered. */
export const memory = {
  read(key, otherwise) {
    try {
      return JSON.parse(localStorage.getItem(`fakenews.${key}`)) ?? otherwise;
    } catch {
      return otherwise;
    }
  },
  write(key, value) {
    try {
      localStorage.setItem(`fakenews.${key}`, JSON.stringify(value));
    } catch { /* full, or not allowed */ }
  },
  forget(key) {
    try {
      localStorage.removeItem(`fakenews.${key}`);
    } catch { /* not allowed */ }
  },
};

const HISTORY_MOST = 200;
export const history = {
  all: () => memory.read("history", []),
  isKept: () => memory.read("remember", true),
  add(entry) {
    if (!history.isKept()) return;
    memory.write("history", [entry, ...history.all().filter((e) => !entry.id || e.id !== entry.id)].slice(0, HISTORY_MOST));
  },
};

export const signs = { fake: "▲", real: "▽", unsure: "◇", none: "◇" };
export const sentences = { fake: "reads like items labelled fake", real: "reads like items labelled real", unsure: "unsure", none: "no verdict" };

/* p as a natural frequency, as fn_page_frequency of the server. */
export function frequency(p) {
  let of = 100;
  for (; of < 10000; of *= 10) {
    const count = Math.round(p * of);
    if (count > 0 && count < of) return { count, of };
  }
  return { count: Math.min(Math.max(Math.round(p * of), 1), of - 1), of };
}
