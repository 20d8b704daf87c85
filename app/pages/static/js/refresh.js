// Fetches what may have changed, no faster than a person reads, and only while somebody looks.

import { tellTimes } from "./times.js";

const PERIOD_MS = 5000;

let failed = false;

export function refresh() {
  document.body.dispatchEvent(new Event("news"));
}

function tellConnection(works) {
  if (failed === !works) return;
  failed = !works;
  const line = document.querySelector("[data-connection]");
  if (line) line.textContent = works ? "Connected again." : "The API does not answer; what you see may be old.";
  document.documentElement.toggleAttribute("data-offline", failed);
}

export function startRefreshing() {
  let last = Date.now();
  const again = () => {
    last = Date.now();
    tellTimes();
    refresh();
  };
  setInterval(() => document.hidden || again(), PERIOD_MS);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && Date.now() - last >= PERIOD_MS) again();
  });
  document.body.addEventListener("htmx:after:swap", () => tellTimes());
  document.body.addEventListener("htmx:after:request", ({ detail }) => {
    const status = detail?.ctx?.response?.raw?.status ?? detail?.ctx?.response?.status ?? 0;
    tellConnection(status > 0 && status < 500);
  });
  document.body.addEventListener("htmx:error", () => tellConnection(false));
  tellTimes();
}
