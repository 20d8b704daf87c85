// Buttons and forms that say in `data-api` what to ask of the API.

import { call } from "./api.js";
import { confirmed } from "./dialogs.js";
import { bodyOf } from "./fields.js";
import { refresh } from "./refresh.js";
import { say, showError } from "./said.js";

function readCall(element) {
  const [method, path] = element.dataset.api.split(" ");
  return { method, path };
}

// An answer may be a refusal by the job that was waited for.
function checked(answer) {
  const error = answer.job?.error;
  if (error) throw new Error(error.message);
  return answer;
}

async function act(button) {
  const { method, path } = readCall(button);
  const { confirm: question, consequence, yes, goesTo, said } = button.dataset;
  const work = async () => checked(await call(method, path, method === "DELETE" ? undefined : {}));
  button.setAttribute("aria-busy", "true");
  try {
    if (question ? !(await confirmed({ question, consequence, yes }, work)) : !(await work())) return;
    if (goesTo) return location.assign(goesTo);
    if (said) say(said);
    refresh();
  } catch (error) {
    say(error.message);
  } finally {
    button.removeAttribute("aria-busy");
  }
}

async function submit(form) {
  const { method, path } = readCall(form);
  const [error, button] = [form.querySelector(".error"), form.querySelector("[type=submit]")];
  showError(error, null);
  button.setAttribute("aria-busy", "true");
  try {
    const answer = checked(await call(method, path, bodyOf(form)));
    if (form.dataset.then === "session") location.assign(`/sessions/${answer.session.id}`);
    if (form.dataset.then === "batch") location.assign(`/batches/${answer.batch.id}`);
  } catch (failure) {
    showError(error, failure);
  } finally {
    button.removeAttribute("aria-busy");
  }
}

export function startActions() {
  document.addEventListener("click", ({ target }) => {
    const button = target.closest("button[data-api]");
    if (button && button.getAttribute("aria-busy") !== "true") act(button);
  });
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-api]")) return;
    event.preventDefault();
    if (event.target.querySelector("[type=submit]").getAttribute("aria-busy") !== "true") submit(event.target);
  });
}
