// The page of one session: its live picture, what is typed into it, what it reports, captures of it.

import { call } from "./api.js";
import { Controls } from "./controls.js";
import { copy } from "./copying.js";
import { EventList } from "./event_list.js";
import { bodyOf } from "./fields.js";
import { ended, showResult } from "./results.js";
import { say, showError } from "./said.js";
import { Screen } from "./screen.js";
import { Stream } from "./stream.js";

const WIDTH_MIN = 480;
const WIDTH_MAX = 1920;
// The gallery has the others.
const SHOTS_KEPT = 3;

const stage = document.querySelector("[data-stream]");
const canvas = stage.querySelector("canvas");
const screen = new Screen(canvas);
const events = new EventList(document.querySelector(".events"), announce);
const address = stage.querySelector("[name=url]");

function announce(text) {
  document.querySelector("[data-announced]").textContent = text;
}

function show(state, text, mayRetry = false) {
  const badge = stage.querySelector("[data-link-state]");
  badge.textContent = state;
  badge.className = `state ${state}`;
  stage.querySelector("[data-veil]").hidden = state === "live";
  stage.querySelector("[data-veil-text]").textContent = text;
  stage.querySelector("[data-veil-retry]").hidden = !mayRetry;
  for (const control of stage.querySelectorAll(".toolbar button, .typing button")) control.disabled = state !== "live";
  if (state === "ended") showEnd();
}

function showEnd() {
  for (const button of document.querySelectorAll(".head .buttons button, [data-capture-now] button")) button.disabled = true;
  // What it says of the session is not true any more.
  document.getElementById("fresh")?.remove();
}

function hear(message) {
  if (message.type === "viewport") {
    screen.viewport = message;
    return;
  }
  events.add(message);
  if (message.type === "input") say(message.message);
  if (message.type === "page") showPage(message);
}

function showPage({ name, url, popup }) {
  if (name !== "navigated" || popup) return;
  if (address && document.activeElement !== address) address.value = url;
  document.querySelector("[data-page-title]").textContent = url.replace(/^https?:\/\//, "");
}

const wishes = {
  frames: 1,
  max_width: Math.round(Math.min(WIDTH_MAX, Math.max(WIDTH_MIN, canvas.parentElement.clientWidth * devicePixelRatio))),
};
const stream = new Stream(stage.dataset.stream, wishes, {
  frame: (blob) => screen.draw(blob),
  message: hear,
  state: show,
});
stage.querySelector("[data-veil-retry]").addEventListener("click", () => stream.open());

function send(kind, facts = {}) {
  stream.send({ type: "input", kind, ...facts });
}

function startControls() {
  const release = stage.querySelector("[data-release]");
  const controls = new Controls(canvas, screen, send, (taken) => {
    release.hidden = !taken;
    stage.toggleAttribute("data-taken", taken);
    announce(taken ? "The keyboard goes to the session. Escape twice gives it back." : "The keyboard is yours again.");
  });
  release.addEventListener("click", () => controls.release());
  for (const button of stage.querySelectorAll("[data-input]")) button.addEventListener("click", () => send(button.dataset.input));
  stage.querySelector("[data-address-bar]").addEventListener("submit", (event) => {
    event.preventDefault();
    const given = address.value.trim();
    if (given) send("goto", { url: /^[a-z][a-z0-9+.-]*:/i.test(given) && !/^[^/]+:\d+/.test(given) ? given : `https://${given}` });
  });
  const typing = stage.querySelector("[data-typing]");
  typing.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = typing.elements.text.value;
    if (text) send("insert_text", { text });
    typing.reset();
  });
  for (const button of stage.querySelectorAll("[data-key]")) {
    button.addEventListener("click", () => send("press", { key: button.dataset.key }));
  }
}

function startCaptures() {
  const { session } = document.querySelector("[data-session]").dataset;
  const form = document.querySelector("[data-capture-now]");
  const button = form.querySelector("[type=submit]");
  const error = document.querySelector("[data-capture-error]");
  const shots = document.querySelector("[data-shots]");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    showError(error, null);
    button.setAttribute("aria-busy", "true");
    try {
      const outputs = [JSON.parse(form.elements.output.value)];
      const { job } = await call("POST", `/api/sessions/${session}/captures`, { outputs });
      await ended(job.id);
      const shot = document.createElement("article");
      shots.prepend(shot);
      while (shots.children.length > SHOTS_KEPT) shots.lastElementChild.remove();
      await showResult(job.id, shot, "#result :is(.picture, .files, .alert)");
    } catch (failure) {
      showError(error, failure);
    } finally {
      button.removeAttribute("aria-busy");
    }
  });
}

function startSharing() {
  const form = document.querySelector("[data-share]");
  const [method, path] = form.dataset.share.split(" ");
  const copyButton = form.querySelector("[data-copy-link]");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const error = form.querySelector(".error");
    showError(error, null);
    try {
      const { url } = await call(method, path, bodyOf(form));
      form.elements.link.value = new URL(url, location.href).href;
      form.querySelector("[data-shared]").hidden = copyButton.hidden = false;
      form.elements.link.select();
    } catch (failure) {
      showError(error, failure);
    }
  });
  copyButton.addEventListener("click", () => copy(form.elements.link.value));
}

if (!("readOnly" in stage.dataset)) {
  startControls();
  startCaptures();
  startSharing();
}
stream.open();
