// The capture form: what it asks for, and the result beside it.

import { call } from "./api.js";
import { bodyOf } from "./fields.js";
import { ended, showResult } from "./results.js";
import { showError } from "./said.js";

const form = document.querySelector("[data-capture]");
const result = document.querySelector("[data-result]");
const error = form.querySelector(".error");
const button = form.querySelector("[type=submit]");

function outputs(body) {
  const wanted = [...form.querySelectorAll("[name=output]:checked")].map(({ value }) => value);
  const { type, area } = body.screenshot ?? {};
  const { format, landscape } = body.pdf ?? {};
  const options = {
    screenshot: { ...(type && { type }), ...(area && { full_page: true }) },
    pdf: { ...(format && { format }), ...(landscape && { landscape: true }) },
  };
  return wanted.map((kind) => ({ kind, ...options[kind] }));
}

function body() {
  const given = bodyOf(form);
  const wanted = outputs(given);
  const source = form.elements.source.value;
  const other = source === "url" ? "html" : "url";
  for (const name of [other, "screenshot", "pdf"]) delete given[name];
  if (given.scroll_page) given.scroll_page = {};
  return { ...given, outputs: wanted };
}

function showChoices() {
  const source = form.elements.source.value;
  for (const part of form.querySelectorAll("[data-source]")) part.hidden = part.dataset.source !== source;
  for (const part of form.querySelectorAll("[data-output]")) {
    part.hidden = !form.querySelector(`[name=output][value=${part.dataset.output}]`).checked;
  }
  const curl = form.querySelector("[data-curl]");
  const key = "withKey" in curl.dataset ? ` \\\n  -H "Authorization: Bearer $FLEET_API_KEY"` : "";
  const json = JSON.stringify(body(), null, 2).replaceAll("'", "'\\''");
  curl.textContent =
    `curl -X POST '${location.origin}/api/captures?wait=60'${key} \\\n  -H 'Content-Type: application/json' \\\n  -d '${json}'`;
}

function showProgress(job) {
  const where = job.state === "queued" && job.position ? `Waits in the queue, number ${job.position}.` : "The page is being captured.";
  const box = document.createElement("div");
  box.className = "empty";
  const line = document.createElement("p");
  line.setAttribute("aria-busy", "true");
  line.textContent = where;
  const cancel = document.createElement("button");
  cancel.type = "button";
  cancel.className = "secondary outline";
  cancel.dataset.api = `DELETE /api/jobs/${job.id}`;
  cancel.textContent = "Cancel";
  box.append(line, cancel);
  result.replaceChildren(box);
}

async function capture() {
  showError(error, null);
  const { job } = await call("POST", "/api/captures", body());
  showProgress(job);
  result.scrollIntoView({ block: "nearest" });
  await ended(job.id, showProgress);
  await showResult(job.id, result);
}

form.addEventListener("input", showChoices);
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.setAttribute("aria-busy", "true");
  button.disabled = true;
  try {
    await capture();
  } catch (failure) {
    showError(error, failure);
  } finally {
    button.disabled = false;
    button.removeAttribute("aria-busy");
  }
});
showChoices();
