// The picture: draws the newest frame, and knows where in the session's viewport a point of it lies.

export class Screen {
  #canvas;
  #viewport = { width: 1280, height: 720 };
  #waiting = null;
  #drawing = false;

  constructor(canvas) {
    this.#canvas = canvas;
  }

  set viewport({ width, height }) {
    this.#viewport = { width, height };
  }

  // Of frames that come faster than they can be drawn, the newest counts.
  async draw(blob) {
    this.#waiting = blob;
    if (this.#drawing) return;
    this.#drawing = true;
    try {
      while (this.#waiting) {
        const next = this.#waiting;
        this.#waiting = null;
        this.#paint(await createImageBitmap(next));
      }
    } finally {
      this.#drawing = false;
    }
  }

  // A mouse event's place in CSS pixels of the session's page.
  place({ clientX, clientY }) {
    const { left, top, width, height } = this.#canvas.getBoundingClientRect();
    const within = (value, limit) => Math.min(Math.max(0, Math.round(value)), limit - 1);
    return {
      x: within(((clientX - left) / width) * this.#viewport.width, this.#viewport.width),
      y: within(((clientY - top) / height) * this.#viewport.height, this.#viewport.height),
    };
  }

  #paint(bitmap) {
    const canvas = this.#canvas;
    if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
      canvas.width = bitmap.width;
      canvas.height = bitmap.height;
    }
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    bitmap.close();
    canvas.dataset.frames = Number(canvas.dataset.frames ?? 0) + 1;
  }
}
