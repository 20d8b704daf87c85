// What every page needs.

import { startActions } from "./actions.js";
import { copy } from "./copying.js";
import { startDialogs } from "./dialogs.js";
import { startRefreshing } from "./refresh.js";
import { startThemeSwitch } from "./theme_switch.js";

startThemeSwitch();
startDialogs();
startActions();
startRefreshing();
document.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-copy]");
  if (button) copy(button.dataset.copy);
});
