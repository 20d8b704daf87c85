// What happened, for those who hear the page and, for a moment, for those who see it.

const SHOWN_MS = 4000;
let timer;

export function say(text) {
  const line = document.getElementById("said");
  line.textContent = text;
  line.classList.add("shown");
  clearTimeout(timer);
  timer = setTimeout(() => line.classList.remove("shown"), SHOWN_MS);
}

export function showError(element, error) {
  element.textContent = error ? error.message : "";
  element.hidden = !error;
}
