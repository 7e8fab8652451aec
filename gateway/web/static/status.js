// Keeps the page up to date, says when it cannot, and asks before a token is rotated.

import { fit } from "./tree.js";

const SILENCE = 15000; // ms without a word after which the gateway counts as gone: it says one every 5 s
const AGAIN = 3000; // ms between attempts to connect
const LATER = 30000; // ms until the next one, if the gateway has no room for another open page

const found = (id) => document.getElementById(id);
const clock = (date) => `${date.toISOString().slice(11, 19)} UTC`;

let stream = null;
let timer = 0;
let heard = Date.now();
let tick = performance.now();
let stale = false;
let key = document.body.dataset.key;

function say(text) {
  found("news").textContent = text;
}

function hear() {
  heard = Date.now();
  tick = performance.now();
  if (stale) {
    stale = false;
    document.body.classList.remove("stale");
    say("Connected again.");
  }
}

function tell(at) {
  found("live").textContent = `Live, as of ${clock(new Date(at))}`;
}

function show(view) {
  hear();
  tell(view.at);
  document.title = view.title;
  found("replica").textContent = view.replica;
  found("about").textContent = view.about;
  fit(found("page"), view.page);
  if (view.key !== key) {
    key = view.key;
    say(view.sentence);
  }
}

function lost(what) {
  if (stale) return;
  stale = true;
  document.body.classList.add("stale");
  const text = `${what} since ${clock(new Date(heard))}: what is shown is old.`;
  found("live").textContent = text;
  document.title = "connection lost · zoom-gateway";
  say(text);
}

function connect() {
  clearTimeout(timer);
  stream?.close();
  stream = new EventSource("events");
  stream.addEventListener("state", (event) => show(JSON.parse(event.data)));
  stream.addEventListener("beat", (event) => {
    hear();
    tell(event.data);
  });
  stream.addEventListener("error", () => {
    // Closed already: there was an answer, and it was no stream.
    const full = stream.readyState === EventSource.CLOSED;
    stream.close();
    lost(full ? "Not live, the gateway has no room for another open page" : "Connection lost");
    timer = setTimeout(connect, full ? LATER : AGAIN);
  });
}

setInterval(() => {
  // By both clocks: one can be set back, the other may stand still while a laptop sleeps.
  const silence = Math.max(Date.now() - heard, performance.now() - tick);
  if (stale || silence < SILENCE) return;
  lost("Connection lost");
  connect();
}, 1000);
addEventListener("pagehide", () => stream?.close());
addEventListener("pageshow", (event) => event.persisted && connect());

const ask = found("ask");
let asked = "";

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-rotate]");
  if (button === null) return;
  asked = button.dataset.rotate;
  found("ask-title").textContent = `Mint a new token of ${asked}?`;
  found("ask-cost").textContent = button.dataset.cost;
  found("ask-answer").textContent = "";
  found("ask-yes").hidden = false;
  found("ask-no").textContent = "Cancel";
  ask.showModal();
});

found("ask-no").addEventListener("click", () => ask.close());
found("ask-yes").addEventListener("click", async () => {
  found("ask-yes").hidden = true;
  found("ask-no").textContent = "Close";
  found("ask-no").focus();
  found("ask-answer").textContent = await rotate(asked);
});

async function rotate(account) {
  try {
    const answer = await fetch(`accounts/${encodeURIComponent(account)}/rotate`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: "{}",
    });
    return (await answer.json()).message;
  } catch {
    return "The gateway did not answer: nothing may have happened.";
  }
}

document.documentElement.classList.add("live");
connect();
