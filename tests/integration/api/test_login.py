"""How a person comes in, stays, and leaves."""

import re
import time

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.services import logins
from fleet.settings import Settings
from fleet.store import Store
from tests.integration.api.keyed import CI, KEYS, OPS, a_keyed_app, bearer, browser
from tests.integration.as_worker import WORKER

_PAGES = ["/", "/sessions", "/sessions/ses_x", "/capture", "/gallery", "/jobs", "/jobs/job_x", "/workers"]


@pytest.fixture
def keyed(settings: Settings, store: Store) -> Flask:
    return a_keyed_app(settings, store)


@pytest.fixture
def stranger(keyed: Flask) -> FlaskClient:
    return browser(keyed)


@pytest.fixture
def person(keyed: Flask) -> FlaskClient:
    return browser(keyed, CI)


def cookie_of(client: FlaskClient) -> str:
    cookie = client.get_cookie("fleet_login_token")
    assert cookie is not None
    return cookie.value


@pytest.mark.parametrize("path", _PAGES)
def test_every_page_leads_to_the_login_and_the_login_back(stranger: FlaskClient, path: str) -> None:
    answer = stranger.get(path)
    assert answer.status_code == 303
    form = stranger.get(answer.headers["Location"])
    assert form.status_code == 200
    assert f'name="next" value="{path}"' in form.text
    assert stranger.post("/login", data={"key": CI, "next": path}).headers["Location"] == path


def test_the_query_of_a_page_is_kept(stranger: FlaskClient) -> None:
    form = stranger.get(stranger.get("/jobs?cursor=5&a=b").headers["Location"])
    assert 'value="/jobs?cursor=5&amp;a=b"' in form.text


def test_the_login_shows_nothing_of_the_fleet(stranger: FlaskClient) -> None:
    page = stranger.get("/login").text
    assert WORKER not in page
    assert re.findall(r"<a [^>]*href=\"/[^\"]*\"", page) == []


def test_a_person_who_has_logged_in_sees_pages_and_may_call(person: FlaskClient) -> None:
    page = person.get("/")
    assert page.status_code == 200
    assert ">ci</span>" in page.text
    assert person.post("/api/captures", json={"html": "<p>"}).status_code == 202


def test_a_wrong_key_is_refused_with_a_sentence(stranger: FlaskClient) -> None:
    answer = stranger.post("/login", data={"key": "not-a-key", "next": "/jobs"})
    assert answer.status_code == 401
    assert 'role="alert"' in answer.text
    assert "not-a-key" not in answer.text
    assert 'value="/jobs"' in answer.text
    assert "Set-Cookie" not in answer.headers


def test_wrong_keys_are_counted(stranger: FlaskClient) -> None:
    stranger.post("/login", data={"key": "not-a-key"})
    stranger.get("/metrics", headers=bearer("not-a-key"))
    told = stranger.get("/metrics", headers=bearer(CI)).text
    assert 'fleet_http_errors_total{code="unauthorized"} 2.0' in told


def test_the_cookie_names_the_key_and_is_kept_from_scripts_and_other_sites(stranger: FlaskClient) -> None:
    cookie = stranger.post("/login", data={"key": CI}).headers["Set-Cookie"]
    assert cookie.startswith("fleet_login_token=ci.")
    assert CI not in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Max-Age=43200" in cookie
    assert "Path=/" in cookie
    assert "Secure" not in cookie
    assert "Domain" not in cookie


def test_over_https_the_cookie_stays_there(stranger: FlaskClient) -> None:
    answer = stranger.post("/login", data={"key": CI}, base_url="https://fleet.example")
    assert "Secure" in answer.headers["Set-Cookie"]


def test_who_logs_out_is_out(person: FlaskClient) -> None:
    answer = person.post("/logout")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login")
    assert person.get("/").status_code == 303
    assert person.get("/api/jobs").status_code == 401


@pytest.mark.parametrize(
    ("keys", "status"),
    [
        (KEYS, 200),
        (f"{KEYS},new:{'n' * 16}", 200),
        (KEYS.replace(CI, "another-key-of-the-pipeline"), 401),
        (KEYS.replace("ci:", "pipeline:"), 401),
        (f"ops:{OPS}:admin", 401),
        (f"ci:{OPS},ops:{CI}", 401),
    ],
    ids=["the same", "one more", "changed", "renamed", "removed", "swapped"],
)
def test_a_login_ends_with_its_key(
    settings: Settings, store: Store, person: FlaskClient, keys: str, status: int
) -> None:
    later = browser(a_keyed_app(settings, store, keys=keys))
    later.set_cookie("fleet_login_token", cookie_of(person))
    assert later.get("/api/jobs").status_code == status


def test_a_login_made_with_another_secret_is_none(settings: Settings, store: Store, person: FlaskClient) -> None:
    for secret in ("another secret of thirty-two chars", None):
        other = browser(a_keyed_app(settings, store, secret=secret))
        other.set_cookie("fleet_login_token", cookie_of(person))
        assert other.get("/api/jobs").status_code == 401


def test_a_login_is_over_after_half_a_day(person: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + logins.LOGIN_SECONDS - 60)
    assert person.get("/api/jobs", headers={"Cookie": f"fleet_login_token={cookie_of(person)}"}).status_code == 200
    cookie = cookie_of(person)
    monkeypatch.setattr(time, "time", lambda: now + logins.LOGIN_SECONDS + 60)
    assert person.get("/api/jobs", headers={"Cookie": f"fleet_login_token={cookie}"}).status_code == 401


@pytest.mark.parametrize("forged", ["", "ci", "ci.", "ci.a.b", "ops.{rest}", "ci.{rest}x", "é", "..", "{rest}"])
def test_a_forged_login_is_none(stranger: FlaskClient, person: FlaskClient, forged: str) -> None:
    rest = cookie_of(person).partition(".")[2]
    stranger.set_cookie("fleet_login_token", forged.format(rest=rest))
    assert stranger.get("/api/jobs").status_code == 401
    assert stranger.get("/").status_code == 303


def test_a_wrong_key_in_the_header_is_refused_in_spite_of_a_login(person: FlaskClient) -> None:
    assert person.get("/api/jobs", headers=bearer("wrong")).status_code == 401


def test_who_is_logged_in_is_led_on_from_the_login(person: FlaskClient) -> None:
    answer = person.get("/login?next=/jobs")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/jobs")


@pytest.mark.parametrize(
    "wanted",
    [
        "http://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        " //evil.example",
        "javascript:alert(1)",
        "evil",
        "/a\r\nX: y",
        "",
    ],
)
def test_a_login_leads_to_no_other_site(stranger: FlaskClient, person: FlaskClient, wanted: str) -> None:
    assert stranger.post("/login", data={"key": CI, "next": wanted}).headers["Location"] == "/"
    assert person.get("/login", query_string={"next": wanted}).headers["Location"] == "/"


def test_a_page_that_looks_for_news_is_led_to_the_login(stranger: FlaskClient) -> None:
    answer = stranger.get("/jobs", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (401, "/login?next=/jobs")


def test_a_link_on_another_site_leads_back_to_the_page_by_way_of_the_login(stranger: FlaskClient) -> None:
    """The browser sends no cookie yet; to the address that the page itself leads to, it does."""
    answer = stranger.get("/jobs", headers={"Sec-Fetch-Site": "cross-site"})
    assert (answer.status_code, answer.headers["Refresh"]) == (200, "0; url=/login?next=/jobs")


def test_another_site_logs_nobody_in_or_out(stranger: FlaskClient, person: FlaskClient) -> None:
    foreign = {"Sec-Fetch-Site": "cross-site"}
    answer = stranger.post("/login", data={"key": CI}, headers=foreign)
    assert (answer.status_code, "Set-Cookie" in answer.headers) == (403, False)
    assert person.post("/logout", headers=foreign).status_code == 403
    assert person.get("/").status_code == 200


def test_another_site_does_nothing_with_a_persons_login(keyed: Flask, store: Store) -> None:
    operator = browser(keyed, OPS)
    headers = {"Origin": "http://evil.example"}
    assert operator.post(f"/api/workers/{WORKER}/drain", headers=headers).status_code == 403
    assert not store.workers.is_asked_to_drain(WORKER)


def test_only_an_operator_is_offered_to_drain(keyed: Flask, person: FlaskClient) -> None:
    assert "/drain" not in person.get("/workers").text
    assert "/drain" in browser(keyed, OPS).get("/workers").text


def test_what_was_shown_to_one_is_not_kept_for_others(person: FlaskClient, stranger: FlaskClient) -> None:
    assert "private" in person.get("/").headers["Cache-Control"]
    assert stranger.get("/login").headers["Cache-Control"] == "no-store"


def test_a_fleet_without_keys_has_no_login(settings: Settings, store: Store) -> None:
    client = browser(a_keyed_app(settings, store, keys=""))
    assert client.get("/login?next=/jobs").headers["Location"] == "/jobs"
    assert "Log out" not in client.get("/").text
    assert "/drain" in client.get("/workers").text
