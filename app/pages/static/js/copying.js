// Copies an id or a link.

import { say } from "./said.js";

// Outside of https and loopback the browser has no clipboard for pages; this old way still works there.
function copySelected(text) {
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "sr-only";
  document.body.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  return copied;
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    if (!copySelected(text)) return say("The browser did not let it be copied.");
  }
  say("Copied.");
}
