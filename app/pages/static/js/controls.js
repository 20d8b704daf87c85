// Mouse and keyboard of whoever watches, as input messages. The keyboard is taken on request and given back.

const BUTTONS = ["left", "middle", "right"];
const MOVE_MS = 50;
const TWICE_MS = 1000;
const LINE_PX = 16;
const CLICKS_MAX = 3;

export class Controls {
  #canvas;
  #screen;
  #send;
  #onTaken;
  #taken = false;
  #down = new Set();
  #moved = null;
  #scrolled = null;
  #timer = null;
  #escaped = -Infinity;

  // `send(kind, arguments)`; `onTaken(whether)`: the keyboard was taken, or given back.
  constructor(canvas, screen, send, onTaken) {
    this.#canvas = canvas;
    this.#screen = screen;
    this.#send = send;
    this.#onTaken = onTaken;
    this.#listen();
  }

  release() {
    for (const key of this.#down) this.#send("key_up", { key });
    this.#down.clear();
    this.#setTaken(false);
  }

  #setTaken(taken) {
    if (this.#taken === taken) return;
    this.#taken = taken;
    this.#onTaken(taken);
  }

  #listen() {
    const canvas = this.#canvas;
    canvas.addEventListener("mousedown", (event) => this.#press(event));
    canvas.addEventListener("mouseup", (event) => this.#lift(event));
    canvas.addEventListener("mousemove", (event) => this.#move(event));
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("keydown", (event) => this.#keyDown(event));
    canvas.addEventListener("keyup", (event) => this.#keyUp(event));
    canvas.addEventListener("paste", (event) => this.#paste(event));
    canvas.addEventListener("blur", () => this.release());
  }

  #press(event) {
    event.preventDefault();
    this.#canvas.focus({ preventScroll: true });
    this.#setTaken(true);
    this.#flush();
    this.#send("mouse_down", this.#facts(event));
    // Also when the button is let go outside of the picture.
    window.addEventListener("mouseup", (up) => up.target === this.#canvas || this.#lift(up), { once: true });
  }

  #lift(event) {
    if (!this.#taken) return;
    this.#flush();
    this.#send("mouse_up", this.#facts(event));
  }

  #facts(event) {
    const click_count = Math.min(Math.max(1, event.detail), CLICKS_MAX);
    return { ...this.#screen.place(event), button: BUTTONS[event.button] ?? "left", click_count };
  }

  #move(event) {
    if (!this.#taken) return;
    this.#moved = this.#screen.place(event);
    this.#soon();
  }

  #wheel(event) {
    if (!this.#taken) return;
    event.preventDefault();
    const factor = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE_PX : 1;
    const { delta_x = 0, delta_y = 0 } = this.#scrolled ?? {};
    this.#scrolled = { delta_x: delta_x + event.deltaX * factor, delta_y: delta_y + event.deltaY * factor };
    this.#moved = this.#screen.place(event);
    this.#soon();
  }

  #soon() {
    this.#timer ??= setTimeout(() => this.#flush(), MOVE_MS);
  }

  #flush() {
    clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#scrolled) this.#send("wheel", { ...this.#moved, ...this.#scrolled });
    else if (this.#moved) this.#send("mouse_move", this.#moved);
    this.#moved = this.#scrolled = null;
  }

  #keyDown(event) {
    const { key } = event;
    if (!this.#taken) {
      if (key === "Enter" || key === " ") {
        event.preventDefault();
        this.#setTaken(true);
      }
      return;
    }
    if (key === "Escape" && this.#isSecondEscape(event)) return this.release();
    // Its text comes with the paste event.
    if ((event.ctrlKey || event.metaKey) && key.toLowerCase() === "v") return;
    event.preventDefault();
    if (["Dead", "Process", "Unidentified", "AltGraph"].includes(key)) return;
    if (isText(event)) return this.#send("insert_text", { text: key });
    this.#down.add(key);
    this.#send("key_down", { key });
  }

  #keyUp(event) {
    if (!this.#down.delete(event.key)) return;
    event.preventDefault();
    this.#send("key_up", { key: event.key });
  }

  #isSecondEscape(event) {
    if (event.repeat) return false;
    const second = event.timeStamp - this.#escaped < TWICE_MS;
    this.#escaped = second ? -Infinity : event.timeStamp;
    return second;
  }

  #paste(event) {
    const text = event.clipboardData?.getData("text/plain");
    if (this.#taken && text) this.#send("insert_text", { text });
  }
}

// What no key of the keyboard that Playwright knows would type.
function isText(event) {
  const { key } = event;
  if ([...key].length !== 1) return false;
  const isAscii = key >= " " && key <= "~";
  return !isAscii || event.getModifierState("AltGraph");
}
