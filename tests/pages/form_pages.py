"""Pages that are acted on: a login with what lies behind it, and controls that can or cannot be used."""

import json
from collections.abc import Callable
from http.cookies import SimpleCookie
from typing import Any, Protocol
from urllib.parse import parse_qs, urlencode

PASSWORD = "correct horse battery staple"


class Handler(Protocol):
    headers: Any
    path: str
    body: str

    def send(self, body: str | bytes, *, status: int = 200, content_type: str = ..., **headers: str) -> None: ...


_LOGIN = """<!doctype html><title>Log in</title>
<form method=post action=/login>
<input id=user name=user><input id=password name=password type=password><button>Log in</button>
</form><p>%s</p>"""


def _login(handler: Handler, _argument: str) -> None:
    """A right password leads to /members and is remembered; a wrong one shows the form again."""
    given = {name: values[0] for name, values in parse_qs(handler.body).items()}
    if given.get("password") == PASSWORD:
        cookie = urlencode({"member": given["user"]}) + "; Path=/"
        handler.send("", status=303, Location="/members", Set_Cookie=cookie)
    else:
        handler.send(_LOGIN % ("Wrong password" if given else "Who are you?"))


def _members(handler: Handler, _argument: str) -> None:
    """For who has logged in; others are sent to /login. Its picture comes late."""
    member = SimpleCookie(handler.headers.get("Cookie", "")).get("member")
    if member is None:
        handler.send("", status=303, Location="/login")
        return
    arrived = "document.body.append(`picture of ${width} pixel`)"
    picture = f'<img src=/slow-image/400 alt="" onload="{arrived}">'
    handler.send(f"<!doctype html><title>Members</title><h1>Welcome, {member.value}</h1>{picture}")


_CONTROLS = """<!doctype html><title>Controls</title>
<style>#below {margin-top: 3000px} #hidden {display: none} #cover {position: fixed; top: 0; right: 0; z-index: 1}
#covered {position: fixed; top: 0; right: 0} #cover, #covered {width: 60px; height: 30px}</style>
<pre>[]</pre>
<button id=button>Button</button><button id=disabled disabled>Disabled</button><button id=hidden>Hidden</button>
<button id=covered>Covered</button><div id=cover></div>
<input id=text><input id=number type=number><input id=readonly readonly value=fixed>
<input id=box type=checkbox><input id=stubborn type=checkbox onclick="return false">
<select id=one><option value=a>Apple<option value=b>Pear</select>
<select id=many multiple><option value=a>Apple<option value=b>Pear<option value=c>Quince</select>
<a id=plain href=/plain>plain</a><a id=tab href=/plain target=_blank>another tab</a><a id=part href=#below>below</a>
<a id=file href=/download>file</a><a id=nothing href=/no-content>nothing</a><a id=never href=/never>never</a>
<a id=refused href=http://127.0.0.2/>not allowed</a><a id=twice href=/hop>twice</a>
<button id=soon onclick="setTimeout(() => location = '/plain', 10)">soon</button>
<p id=below>Below</p>
<script>
const told = [];
const tell = (...what) => {
    told.push(what.join(' '));
    document.querySelector('pre').textContent = JSON.stringify(told);
};
for (const kind of ['click', 'dblclick', 'contextmenu', 'mouseover', 'change', 'input', 'keydown'])
    addEventListener(kind, (event) => {
        const {id, value, checked, type, selectedOptions} = event.target;
        const keys = ['ctrlKey', 'shiftKey', 'altKey'].filter((name) => event[name]);
        const state = type === 'checkbox' ? checked : kind === 'keydown' ? event.key
            : selectedOptions ? [...selectedOptions].map((option) => option.value) : value;
        tell(kind, id || event.target.tagName, state ?? '', ...keys);
    });
</script>
"""


def _controls(handler: Handler, _argument: str) -> None:
    """The events that reached its controls, as JSON."""
    handler.send(_CONTROLS)


def _hop(handler: Handler, _argument: str) -> None:
    """A page that goes on to /plain by a script of its own."""
    handler.send("<!doctype html><title>Hop</title><script>location = '/plain'</script>")


def _strict(handler: Handler, _argument: str) -> None:
    """A page whose policy allows no script that is made of a string."""
    document = f"<!doctype html><title>Strict</title><pre>{json.dumps('strict')}</pre>"
    handler.send(document, Content_Security_Policy="default-src 'self'; script-src 'self'")


FORM_PAGES: dict[str, Callable[[Handler, str], None]] = {
    "login": _login,
    "members": _members,
    "controls": _controls,
    "hop": _hop,
    "strict": _strict,
}
