"""Pages to be watched: one colour each, that rest, move, talk, flood or toil."""

from collections.abc import Callable

from tests.pages.form_pages import Handler

_PLAIN = "<!doctype html><title>%s</title><body style='background:%s'>"
_TICKS = "setInterval(() => console.log('tick'), 100);"
_MOVING = f"""{_PLAIN % ("Moving", "white")}
<div id=box style="position:absolute;width:200px;height:200px;background:red"></div><script>{_TICKS} let x = 0;
(function move() {{ x = (x + 3) % 800; box.style.left = x + "px"; requestAnimationFrame(move) }})()</script>"""
_BURST = f"""{_PLAIN % ("Burst", "red")}<script>onclick = () => {{
  const end = performance.now() + 2000;
  (function paint() {{
    const over = performance.now() > end;
    document.body.style.background = over ? "rgb(0,255,0)" : `rgb(${{performance.now() % 255}},0,255)`;
    if (!over) requestAnimationFrame(paint);
  }})();
}}</script>"""
_TALKING = """<!doctype html><title>Talking</title>
<script>console.log("hello"); setTimeout(() => { throw new Error("on purpose") })</script>
<img src=http://127.0.0.2/>"""
_FLOOD = """<!doctype html><title>Flood</title>
<script>setInterval(() => { for (let i = 0; i < 50; i++) console.log(i) }, 10)</script>"""
_TOILING = """<!doctype html><title>Toiling</title><script>
setInterval(() => { const end = performance.now() + 30; while (performance.now() < end); }, 60);
setInterval(() => fetch("/live/beat"), 200)</script>"""
_FORM = """<!doctype html><title>Form</title><body style="height:5000px"
onscroll="console.log('scrolled')"><input style="position:absolute;top:20px;left:20px;width:200px"
oninput="console.log('field: ' + this.value)"><a href=/live/green style="position:absolute;top:100px;left:20px">To the
green page</a>"""
_TRAP = "<!doctype html><title>Trap</title><script>onmousedown = () => { for (;;); }</script>"

_PAGES = {
    "plain": _PLAIN % ("Plain", "rgb(255,0,0)"),
    "green": _PLAIN % ("Green", "rgb(0,255,0)"),
    "moving": _MOVING,
    "burst": _BURST,
    "talking": _TALKING,
    "flood": _FLOOD,
    "toiling": _TOILING,
    "form": _FORM,
    "trap": _TRAP,
    "beat": "",
}


def _live(handler: Handler, name: str) -> None:
    handler.send(_PAGES[name])


LIVE_PAGES: dict[str, Callable[[Handler, str], None]] = {"live": _live}
