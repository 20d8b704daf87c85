// The connection to a session's stream: comes back by itself, and knows when not to.

import { call, streamAddress } from "./api.js";

const PAUSES_MS = [500, 1000, 2000, 4000, 8000, 15000];
// A tab that nobody looks at leaves its viewer's place to others.
const HIDDEN_MS = 15000;
const ENDED = 4410;
const BROKE_PROTOCOL = 1008;

const END_REASONS = {
  deleted: "It was deleted.",
  idle: "Nobody used it for its idle time.",
  max_lifetime: "It had reached its longest life.",
  crashed: "It crashed too often.",
  worker_lost: "Its worker was lost.",
  drained: "Its worker was emptied.",
  create_failed: "It could not be created.",
  memory: "Its worker was short of memory.",
};

export class Stream {
  #path;
  #wishes;
  #on;
  #socket = null;
  #failures = 0;
  #reopening;
  #hiding;
  #over = false;

  // `on`: frame(blob), message(object), state(name, text, mayRetry)
  constructor(path, wishes, on) {
    this.#path = path;
    this.#wishes = wishes;
    this.#on = on;
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#hide() : this.#show()));
  }

  get isLive() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  open() {
    this.#drop();
    this.#over = false;
    this.#on.state(this.#failures ? "reconnecting" : "connecting", this.#failures ? "The connection is gone. Trying again…" : "Connecting…");
    const socket = new WebSocket(streamAddress(this.#path, this.#wishes));
    let opened = false;
    socket.addEventListener("open", () => {
      opened = true;
      this.#failures = 0;
      this.#on.state("live", "");
    });
    socket.addEventListener("message", ({ data }) => {
      if (socket !== this.#socket) return;
      if (typeof data === "string") this.#on.message(JSON.parse(data));
      else this.#on.frame(data);
    });
    socket.addEventListener("close", (event) => socket === this.#socket && this.#closed(event, opened));
    this.#socket = socket;
  }

  send(message) {
    if (this.isLive) this.#socket.send(JSON.stringify(message));
  }

  async #closed({ code, reason }, opened) {
    this.#socket = null;
    if (code === ENDED) return this.#end("ended", `The session has ended. ${END_REASONS[reason] ?? ""}`.trim(), false);
    if (code === BROKE_PROTOCOL) return this.#end("refused", reason || "The stream was refused.", true);
    // Asked meanwhile, it may have been opened anew.
    if (!opened && ((await this.#wasRefused()) || this.#socket)) return;
    const pause = PAUSES_MS[Math.min(this.#failures, PAUSES_MS.length - 1)];
    this.#failures += 1;
    this.#on.state("reconnecting", "The connection is gone. Trying again…");
    clearTimeout(this.#reopening);
    this.#reopening = setTimeout(() => this.open(), pause * (0.75 + Math.random() / 2));
  }

  // A browser does not tell why an upgrade was refused; the same address says so to a plain request.
  async #wasRefused() {
    const { status, code, message } = await call("GET", this.#path).catch((error) => error);
    if (!code || status < 401 || status >= 500 || status === 426) return false;
    const mayRetry = status === 429;
    this.#end(mayRetry ? "full" : "ended", message, mayRetry);
    return true;
  }

  #end(state, text, mayRetry) {
    this.#over = true;
    this.#on.state(state, text, mayRetry);
  }

  #drop() {
    clearTimeout(this.#reopening);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #hide() {
    clearTimeout(this.#hiding);
    this.#hiding = setTimeout(() => {
      if (this.#over) return;
      this.#drop();
      this.#on.state("paused", "Paused while nobody looked.");
    }, HIDDEN_MS);
  }

  #show() {
    clearTimeout(this.#hiding);
    if (!this.#socket && !this.#over) this.open();
  }
}
