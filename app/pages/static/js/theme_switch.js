// The button that goes from the system's colours to light to dark.

const WORDS = { "": "Auto", light: "Light", dark: "Dark" };

function show(button, theme) {
  button.querySelector("[data-theme-name]").textContent = WORDS[theme];
}

function choose(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  try {
    if (theme) localStorage.setItem("theme", theme);
    else localStorage.removeItem("theme");
  } catch {
    // Storage is switched off: for this page only.
  }
}

export function startThemeSwitch() {
  const button = document.querySelector("[data-theme-switch]");
  const themes = Object.keys(WORDS);
  show(button, document.documentElement.dataset.theme ?? "");
  button.addEventListener("click", () => {
    const now = themes.indexOf(document.documentElement.dataset.theme ?? "");
    const next = themes[(now + 1) % themes.length];
    choose(next);
    show(button, next);
  });
}
