"use strict";

function element(tag, className, text) {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
}

function evening(entry) {
  const item = document.createElement("li");
  const date = element("p", "date", entry.date);
  date.prepend(element("span", "", entry.day));
  const about = document.createElement("div");
  about.append(element("h3", "", entry.title), element("p", "", entry.text));
  item.append(date, about, element("p", "places", `${entry.places} places`));
  return item;
}

async function showProgramme() {
  const list = document.querySelector("[data-source]");
  if (!list) return;
  const answer = await fetch(list.dataset.source);
  list.replaceChildren(...(await answer.json()).map(evening));
}

function filterPlates(kind) {
  let shown = 0;
  for (const plate of document.querySelectorAll(".plate")) {
    plate.hidden = kind !== "all" && plate.dataset.kind !== kind;
    shown += plate.hidden ? 0 : 1;
  }
  for (const button of document.querySelectorAll("[data-filter]")) {
    button.setAttribute("aria-pressed", String(button.dataset.filter === kind));
  }
  document.querySelector("[data-count]").textContent = shown;
}

function watchFilters() {
  for (const button of document.querySelectorAll("[data-filter]")) {
    button.addEventListener("click", () => filterPlates(button.dataset.filter));
  }
}

function showReadingTime() {
  const place = document.querySelector("[data-reading-time]");
  if (!place) return;
  const words = document.querySelector("main").textContent.trim().split(/\s+/).length;
  place.textContent = `${Math.round(words / 200)} minutes to read`;
}

async function start() {
  watchFilters();
  showReadingTime();
  const loaded = new Promise((resolve) => window.addEventListener("load", resolve));
  await Promise.all([showProgramme(), loaded]);
  await document.fonts.ready;
  document.documentElement.dataset.ready = "true";
}

start();
