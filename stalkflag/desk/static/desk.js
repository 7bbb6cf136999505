// Makes the desk's page quicker: it sends the page's own forms and puts the parts of the page that
// comes back in place, so that the text, the caret and the scroll position stay. Without it, the
// page works as plain forms.
"use strict";

const PAUSE = 700; // milliseconds of quiet after which typed text is checked

let asked = 0; // number of the latest request: answers to earlier ones are dropped
let typing = 0;
let sent = null; // the text as last sent

const $ = (id) => document.getElementById(id);
const say = (words) => { $("status").textContent = words; };

function reveal() {
  for (const one of document.querySelectorAll(".js[hidden]")) {
    if (!one.matches(".auto") || $("desk")?.dataset.auto === "yes") one.hidden = false;
  }
}

function mark_stale() {
  const text = $("text");
  if (!text) return;
  const stale = sent !== null && text.value !== sent && Boolean($("announcement"));
  document.body.classList.toggle("stale-now", stale);
  const note = document.querySelector(".stale");
  if (note) note.hidden = !stale;
}

// Words of the narrative lit up for a quotation or an indicator.
function light(name) {
  for (const one of document.querySelectorAll(".lit")) one.classList.remove("lit");
  if (!name) return [];
  const words = [...document.querySelectorAll(`[data-within~="${name}"]`)];
  for (const one of words) one.classList.add("lit");
  return words;
}

function bring(element) {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  element?.scrollIntoView({ block: "nearest", behavior: still ? "auto" : "smooth" });
}

// Put the parts of a page that came back where the old ones are.
function put(page, only) {
  const parts = [...page.querySelectorAll("[data-swap]")].filter((part) => !only || part.id === only);
  for (const part of parts) {
    const here = $(part.id);
    // A part within a part has come with it already.
    if (here && (only || !here.parentElement.closest("[data-swap]"))) here.replaceChildren(...part.childNodes);
  }
  document.title = page.title;
  const check = page.querySelector("#check");
  if (check && !only) $("check").textContent = check.textContent;
  reveal();
}

function complain(page, status) {
  const problem = page.querySelector("#problem");
  const alert = document.createElement("div");
  alert.className = "alert bad";
  alert.textContent = problem
    ? [...problem.querySelectorAll("h1, p:not(:has(a))")].map((p) => p.textContent).join(". ").replace("..", ".")
    : `The desk did not answer (${status}). What you typed is still here: try again.`;
  $("alerts").replaceChildren(alert);
  $("alerts").focus();
}

async function send(form, button, { auto = false } = {}) {
  const number = ++asked;
  clearTimeout(typing);
  const data = new FormData(form, button);
  if (auto) data.set("auto", "1");
  const address = button?.getAttribute("formaction") ?? form.getAttribute("action");
  const path = address.split("#")[0];
  const text = data.get("text");
  const pinned = document.querySelector('[aria-pressed="true"]')?.dataset.pin;
  document.body.setAttribute("aria-busy", "true");
  let page, status = 0;
  try {
    const answer = await fetch(path, { method: "POST", body: data, credentials: "same-origin" });
    status = answer.status;
    page = new DOMParser().parseFromString(await answer.text(), "text/html");
  } catch {
    page = new DOMParser().parseFromString("", "text/html");
  }
  if (number !== asked) return;
  document.body.removeAttribute("aria-busy");
  if (path === "/what-would-change") {
    if (page.querySelector("#explore")) put(page, "explore");
    return;
  }
  if (page.querySelector("#list-title")) {
    for (const part of [".skips", "main"]) {
      document.querySelector(part).replaceChildren(...page.querySelector(part).childNodes);
    }
    document.title = page.title;
    sent = null;
    $("list-title").focus();
    return;
  }
  if (!page.querySelector("#result")) {
    complain(page, status);
    return;
  }
  if (data.get("file")?.size) {
    $("text").value = page.querySelector("#text").value;
    $("file").value = "";
  }
  put(page);
  sent = !$("announcement") ? null : data.get("file")?.size ? $("text").value : text;
  document.querySelector(`[data-pin="${pinned}"]`)?.setAttribute("aria-pressed", "true");
  mark_stale();
  const wrong = document.querySelector("#alerts .bad a[href]");
  if (wrong && !auto) document.querySelector(wrong.getAttribute("href"))?.focus();
  else if (path === "/decide") $("alerts").focus();
  else if (!auto) bring($("result-title"));
  say($("announcement")?.textContent ?? "");
  if ($("try")) send(form, $("try"));
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.id !== "desk") return;
  event.preventDefault();
  send(form, event.submitter ?? $("check"));
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.id === "text") {
    event.preventDefault();
    send($("desk"), $("check"));
  }
  if (event.key === "Escape") {
    for (const pin of document.querySelectorAll('[aria-pressed="true"]')) pin.setAttribute("aria-pressed", "false");
    light(null);
  }
});

document.addEventListener("input", (event) => {
  if (event.target.id !== "text") return;
  mark_stale();
  clearTimeout(typing);
  const on = $("auto") && !$("auto").closest("[hidden]") && $("auto").checked;
  if (!on || event.target.value.trim().length < 20 || event.target.value.length > 20000) return;
  typing = setTimeout(() => send($("desk"), $("check"), { auto: sent !== null }), PAUSE);
});

document.addEventListener("paste", (event) => {
  if (event.target.id !== "text" || event.target.value.trim()) return;
  if ($("purpose") && !$("purpose").value) return;
  setTimeout(() => { if ($("text").value.trim()) send($("desk"), $("check")); });
});

for (const kind of ["mouseover", "focusin"]) {
  document.addEventListener(kind, (event) => {
    const quote = event.target.closest?.("[data-lights]");
    light(quote?.dataset.lights);
  });
}

document.addEventListener("click", (event) => {
  const pin = event.target.closest("[data-pin]");
  if (pin) {
    const on = pin.getAttribute("aria-pressed") !== "true";
    for (const other of document.querySelectorAll("[data-pin]")) other.setAttribute("aria-pressed", "false");
    pin.setAttribute("aria-pressed", String(on));
    if (on) bring(document.querySelector(`.narrative .${pin.dataset.pin}`));
  }
  const quote = event.target.closest("[data-lights]");
  if (quote) {
    event.preventDefault();
    bring(light(quote.dataset.lights)[0]);
  }
  const field = event.target.closest("#alerts a[href^='#']");
  if (field) {
    event.preventDefault();
    document.querySelector(field.getAttribute("href"))?.focus();
  }
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    navigator.clipboard?.writeText($(copy.dataset.copy).value).then(
      () => say("Copied."),
      () => say("The browser did not let it be copied: select the text and press Ctrl+C."),
    );
    $(copy.dataset.copy).select?.();
  }
  if (event.target.closest("[data-print]")) print();
});

document.addEventListener("dragover", (event) => {
  if (!$("file") || ![...event.dataTransfer.types].includes("Files")) return;
  event.preventDefault();
  document.body.classList.add("dropping");
});
document.addEventListener("dragleave", () => document.body.classList.remove("dropping"));
document.addEventListener("drop", (event) => {
  document.body.classList.remove("dropping");
  if (!$("file") || !event.dataTransfer.files.length) return;
  event.preventDefault();
  $("file").files = event.dataTransfer.files;
  send($("desk"), $("check"));
});

addEventListener("beforeprint", () => {
  for (const rest of document.querySelectorAll("#result details.rest")) rest.open = true;
});
addEventListener("beforeunload", (event) => {
  const text = $("text")?.value ?? "";
  if (text.trim() && text !== sent) event.preventDefault();
});

reveal();
if ($("announcement")) sent = $("text").value;
if ($("try")) send($("desk"), $("try"));
