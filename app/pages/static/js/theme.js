// Before anything is drawn: the colours that this person has chosen here.
(() => {
  try {
    const theme = localStorage.getItem("theme");
    if (theme) document.documentElement.dataset.theme = theme;
  } catch {
    // Storage is switched off: as the system has it.
  }
})();
