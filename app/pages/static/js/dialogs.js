// Dialogs: opened and closed by buttons, and the one that asks before something is lost.

import { showError } from "./said.js";

export function openDialog(id) {
  const dialog = document.getElementById(id);
  if (dialog && !dialog.open) dialog.showModal();
}

export function startDialogs() {
  document.addEventListener("click", ({ target }) => {
    const opener = target.closest("[data-opens]");
    if (opener) openDialog(opener.dataset.opens);
    if (target.closest("[data-closes]") || target.matches("dialog[open]")) target.closest("dialog").close();
  });
  if (location.hash === "#new-session") openDialog("new-session");
}

// Asks; on yes does `work` while the dialog stays, and shows there why it failed. False: kept as it is.
export function confirmed({ question, consequence, yes }, work) {
  const dialog = document.getElementById("confirm");
  const [error, yesButton, noButton] = [".error", "[data-answer=yes]", "[data-answer=no]"].map((part) => dialog.querySelector(part));
  dialog.querySelector("h2").textContent = question;
  dialog.querySelector("[data-consequence]").textContent = consequence;
  yesButton.textContent = yes;
  showError(error, null);
  dialog.showModal();
  noButton.focus();
  return new Promise((resolve) => {
    const over = new AbortController();
    const listening = { signal: over.signal };
    noButton.addEventListener("click", () => dialog.close(), listening);
    dialog.addEventListener("close", () => (over.abort(), resolve(false)), listening);
    yesButton.addEventListener(
      "click",
      async () => {
        yesButton.setAttribute("aria-busy", "true");
        try {
          await work();
          over.abort();
          dialog.close();
          resolve(true);
        } catch (failure) {
          showError(error, failure);
        } finally {
          yesButton.removeAttribute("aria-busy");
        }
      },
      listening,
    );
  });
}
