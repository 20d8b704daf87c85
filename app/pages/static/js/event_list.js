// What the session does, newest first; the important part of it is also said.

const KEPT = 200;
// Where an event's own words are.
const FACTS = ["method", "status", "text", "message", "url", "kind", "state", "end_reason", "failure", "code"];
const SAID = ["page", "job", "session"];

export class EventList {
  #list;
  #none;
  #said;
  #waiting = [];
  #drawing = null;

  constructor(root, said) {
    this.#list = root.querySelector("[data-events]");
    this.#none = root.querySelector("[data-no-events]");
    this.#said = said;
    for (const box of root.querySelectorAll("[data-event-kind]")) {
      box.addEventListener("change", () => this.#list.toggleAttribute(`data-without-${box.dataset.eventKind}`, !box.checked));
    }
    root.querySelector("[data-clear-events]").addEventListener("click", () => {
      this.#list.replaceChildren();
      this.#none.hidden = false;
    });
  }

  // A page may report hundreds in a second: they are shown together, once a frame.
  add(event) {
    this.#waiting.push(event);
    if (this.#waiting.length > KEPT) this.#waiting.shift();
    this.#drawing ??= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    const events = this.#waiting;
    this.#waiting = [];
    this.#drawing = null;
    this.#list.prepend(...events.map(lineOf).reverse());
    while (this.#list.children.length > KEPT) this.#list.lastChild.remove();
    this.#none.hidden = true;
    const important = events.findLast(({ type }) => SAID.includes(type));
    if (important) this.#said(`${important.type} ${important.name} ${wordsOf(important)[0] ?? ""}`);
  }
}

function wordsOf(event) {
  return FACTS.map((name) => event[name]).filter((word) => ["string", "number"].includes(typeof word) && word !== "");
}

function lineOf(event) {
  const words = wordsOf(event);
  const line = document.createElement("li");
  line.className = `event ${event.type}`;
  line.append(
    part("time", new Date(event.at ?? Date.now()).toLocaleTimeString()),
    part("span", event.type, "kind"),
    part("span", [event.name, ...words].filter(Boolean).join(" "), "words"),
  );
  line.title = words.join(" ");
  return line;
}

function part(tag, text, name = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  element.className = name;
  return element;
}
