"""What a session carries along: its scripts, its captured responses, its login. From outside."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.polling import eventually

Json = dict[str, Any]
OpenSession = Callable[..., str]


@pytest.fixture
def session(api: httpx.Client) -> Iterator[OpenSession]:
    """Makes a session that runs; its path. It ends with the test."""
    made: list[str] = []

    def make(**body: Any) -> str:
        answer = api.post("/api/sessions?wait=60", json=body)
        assert answer.status_code == 201, answer.text
        made.append(f"/api/sessions/{answer.json()['session']['id']}")
        return made[-1]

    yield make
    for path in made:
        api.delete(f"{path}?wait=60")


def capture(api: httpx.Client, session: str, url: str) -> Json:
    """The manifest of a capture of the page's html."""
    body = {"url": url, "outputs": [{"kind": "html"}]}
    job = api.post(f"{session}/captures?wait=60", json=body).json()["job"]
    assert job["state"] == "succeeded", job["error"]
    manifest: Json = job["result"]
    return manifest


def html(api: httpx.Client, session: str, url: str) -> str:
    (artifact,) = capture(api, session, url)["artifacts"]
    return api.get(artifact["url"]).text


# --- Scripts ---------------------------------------------------------------------------


def mark(name: str) -> str:
    """Leaves an attribute in every document."""
    return f"addEventListener('DOMContentLoaded', () => document.body.setAttribute('data-{name}', 'was here'))"


def marks(page: str) -> list[str]:
    return [name for name in ("first", "second") if f"data-{name}=" in page]


def add_script(api: httpx.Client, session: str, source: str) -> httpx.Response:
    return api.post(f"{session}/scripts", json={"source": source})


def test_scripts_run_on_every_navigation_until_they_are_removed(
    api: httpx.Client, site: str, session: OpenSession
) -> None:
    path = session(scripts=[mark("first")])
    second = add_script(api, path, mark("second")).json()["id"]
    with_both = [marks(html(api, path, f"{site}{page}")) for page in ("/", "/article", "/")]
    assert api.delete(f"{path}/scripts/{second}").status_code == 200
    with_one = marks(html(api, path, f"{site}/"))
    (first,) = api.get(f"{path}/scripts").json()["scripts"]
    assert api.delete(f"{path}/scripts/{first['id']}").status_code == 200

    assert with_both == [["first", "second"]] * 3
    assert (with_one, marks(html(api, path, f"{site}/"))) == (["first"], [])


def test_scripts_are_listed_in_the_order_of_their_addition(api: httpx.Client, session: OpenSession) -> None:
    path = session(scripts=["window.a = 1"])
    added = [add_script(api, path, source).json() for source in ("window.b = 2", "window.c = 3")]
    listed = api.get(f"{path}/scripts").json()["scripts"]

    assert [script["source"] for script in listed] == ["window.a = 1", "window.b = 2", "window.c = 3"]
    assert listed[1:] == added


def test_scripts_of_one_session_do_not_run_in_another(api: httpx.Client, site: str, session: OpenSession) -> None:
    session(scripts=[mark("first")])
    assert marks(html(api, session(), site)) == []


def test_a_refused_script_leaves_the_session_as_it_was(api: httpx.Client, site: str, session: OpenSession) -> None:
    path = session(scripts=[mark("first")] + ["window.filler = 1"] * 49)
    refused = [
        add_script(api, path, source) for source in ("window.one_too_many = 1", "//" + "x" * 20_479, "let a = ;")
    ]

    assert [(answer.status_code, answer.json()["error"]["code"]) for answer in refused] == [
        (409, "script_limit_reached"),
        (413, "script_too_large"),
        (400, "script_syntax_error"),
    ]
    assert api.get(path).json()["scripts"] == 50
    assert marks(html(api, path, site)) == ["first"]


# --- Captured responses ------------------------------------------------------------------


@pytest.fixture
def recorded(api: httpx.Client, site: str, session: OpenSession) -> str:
    """A session that has received the article and its style."""
    path = session(record_responses={"resource_types": ["document", "stylesheet"]})
    capture(api, path, f"{site}/article")
    # They are written beside the capture, which does not wait for them.
    eventually(lambda: len(responses(api, path)) == 2)
    return path


def responses(api: httpx.Client, session: str, **wanted: str) -> list[Json]:
    found: list[Json] = api.get(f"{session}/responses", params=wanted).json()["responses"]
    return found


def paths(found: list[Json]) -> list[str]:
    return [urlsplit(response["request"]["url"]).path for response in found]


def recorded_article(api: httpx.Client, session: str) -> Json:
    (found,) = responses(api, session, url="*/article")
    return found


def test_recorded_responses_are_listed_and_filtered(api: httpx.Client, recorded: str) -> None:
    assert sorted(paths(responses(api, recorded))) == ["/article", "/static/site.css"]
    assert paths(responses(api, recorded, resource_type="stylesheet")) == ["/static/site.css"]
    assert responses(api, recorded, status="4xx") == []


def test_a_recorded_response_is_what_the_site_sent(api: httpx.Client, site: str, recorded: str) -> None:
    found = recorded_article(api, recorded)
    body = api.get(f"{recorded}/responses/{found['id']}/body")

    assert (found["response"]["status"], found["request"]["method"]) == (200, "GET")
    assert api.get(f"{recorded}/responses/{found['id']}").json() == found
    assert body.content == httpx.get(f"{site}/article").content


def test_cleared_responses_are_gone_and_new_ones_come(api: httpx.Client, site: str, recorded: str) -> None:
    found = recorded_article(api, recorded)
    cleared = api.delete(f"{recorded}/responses").json()
    left = responses(api, recorded)
    gone = api.get(f"{recorded}/responses/{found['id']}/body")
    capture(api, recorded, f"{site}/table")

    assert (cleared, left) == ({"deleted": 2}, [])
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "response_not_found")
    eventually(lambda: "/table" in paths(responses(api, recorded)))


def test_a_session_that_was_not_asked_to_record_has_no_responses(
    api: httpx.Client, site: str, session: OpenSession
) -> None:
    path = session()
    capture(api, path, f"{site}/article")
    assert responses(api, path) == []


# --- Storage state -----------------------------------------------------------------------


def test_a_login_goes_from_one_session_to_another_by_its_storage_state(
    api: httpx.Client, site: str, session: OpenSession
) -> None:
    with httpx.Client(base_url=site) as browser:
        browser.post("/login", data={"username": "ada", "password": "lovelace"})
        cookie = {"name": "session", "value": browser.cookies["session"], "domain": "127.0.0.1", "path": "/"}
    first = session(storage_state={"cookies": [cookie]}, url=f"{site}/account")
    state = api.get(f"{first}/storage_state").json()
    api.delete(f"{first}?wait=60")
    second, stranger = session(storage_state=state), session()

    assert capture(api, second, f"{site}/account")["final_url"] == f"{site}/account"
    assert capture(api, stranger, f"{site}/account")["final_url"] == f"{site}/login"


def test_local_storage_goes_along_with_the_storage_state(api: httpx.Client, site: str, session: OpenSession) -> None:
    writes = "localStorage.setItem('told', 'by the first')"
    first = session(scripts=[writes], url=site)
    state = api.get(f"{first}/storage_state").json()
    reads = (
        "addEventListener('DOMContentLoaded', () => document.body.setAttribute('told', localStorage.getItem('told')))"
    )
    second = session(storage_state=state, scripts=[reads])

    assert 'told="by the first"' in html(api, second, site)
