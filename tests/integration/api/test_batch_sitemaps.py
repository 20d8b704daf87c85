import gzip
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.services import sitemaps
from fleet.settings import Settings
from tests.pages.file_server import FileServer

_XMLNS = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Those of an API that may fetch from this machine."""
    return settings.model_copy(update={"egress_allow": "127.0.0.1"})


@pytest.fixture
def files() -> Iterator[FileServer]:
    with FileServer() as server:
        yield server


def a_sitemap(*urls: str) -> bytes:
    entries = "".join(f"<url><loc>\n{url}</loc><lastmod>2026-01-01</lastmod></url>" for url in urls)
    return f'<?xml version="1.0"?><urlset {_XMLNS}>{entries}</urlset>'.encode()


def an_index(*urls: str) -> bytes:
    entries = "".join(f"<sitemap><loc>{url}</loc></sitemap>" for url in urls)
    return f"<sitemapindex {_XMLNS}>{entries}</sitemapindex>".encode()


def post(client: FlaskClient, url: str) -> TestResponse:
    return client.post("/api/batches", json={"sitemap_url": url})


def urls_of(client: FlaskClient, response: TestResponse) -> list[str]:
    assert response.status_code == 202, response.get_json()
    batch_id = response.get_json()["batch"]["id"]
    return [item["url"] for item in client.get(f"/api/batches/{batch_id}/items").get_json()["items"]]


def refusal(response: TestResponse) -> str:
    error = response.get_json()["error"]
    assert (response.status_code, error["code"]) == (422, "sitemap_unusable")
    message: str = error["message"]
    return message


def test_the_pages_of_a_sitemap_become_a_batch(client: FlaskClient, files: FileServer) -> None:
    files.content["/sitemap.xml"] = a_sitemap("http://a.example/1", "http://a.example/2?b=1&amp;c=2")

    assert urls_of(client, post(client, f"{files.url}/sitemap.xml")) == [
        "http://a.example/1",
        "http://a.example/2?b=1&c=2",
    ]


def test_a_packed_sitemap_is_unpacked(client: FlaskClient, files: FileServer) -> None:
    many = [f"http://a.example/{number}" for number in range(3000)]
    files.content["/sitemap.xml.gz"] = gzip.compress(a_sitemap(*many))
    response = post(client, f"{files.url}/sitemap.xml.gz")

    assert response.get_json()["batch"]["counts"]["total"] == 3000


def test_a_sitemap_of_sitemaps_is_followed(client: FlaskClient, files: FileServer) -> None:
    files.content["/index.xml"] = an_index(f"{files.url}/1.xml", f"{files.url}/2.xml")
    files.content["/1.xml"] = a_sitemap("http://a.example/1")
    files.content["/2.xml"] = a_sitemap("http://a.example/2")

    assert urls_of(client, post(client, f"{files.url}/index.xml")) == ["http://a.example/1", "http://a.example/2"]


def test_a_redirect_is_followed(client: FlaskClient, files: FileServer) -> None:
    files.redirects["/old.xml"] = "/new.xml"
    files.content["/new.xml"] = a_sitemap("http://a.example/1")

    assert urls_of(client, post(client, f"{files.url}/old.xml")) == ["http://a.example/1"]


def test_pictures_of_a_page_are_no_pages(client: FlaskClient, files: FileServer) -> None:
    image = '<i:image xmlns:i="http://www.google.com/schemas/sitemap-image/1.1"><i:loc>http://a.example/x.png</i:loc></i:image>'
    files.content["/sitemap.xml"] = a_sitemap("http://a.example/1").replace(b"</url>", f"{image}</url>".encode())

    assert urls_of(client, post(client, f"{files.url}/sitemap.xml")) == ["http://a.example/1"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html><p>Hello</p></html>", "begins with <html>"),
        (b"not XML", "not valid XML"),
        (a_sitemap(), "lists no page"),
        (a_sitemap("javascript:alert(1)"), "opens http: and https:"),
        (b'<!DOCTYPE urlset [<!ENTITY a "aaaa">]><urlset>&a;</urlset>', "document type"),
        (gzip.compress(a_sitemap())[:30], "not valid XML"),
        (gzip.compress(b" " * (50 * 1024 * 1024 + 1)), "more than 52428800 bytes"),
    ],
)
def test_what_is_no_sitemap_is_refused(client: FlaskClient, files: FileServer, content: bytes, message: str) -> None:
    files.content["/sitemap.xml"] = content

    assert message in refusal(post(client, f"{files.url}/sitemap.xml"))
    assert client.get("/api/batches").get_json()["batches"] == []


def test_a_sitemap_that_is_not_there_is_refused(client: FlaskClient, files: FileServer) -> None:
    assert "status 404" in refusal(post(client, f"{files.url}/sitemap.xml"))


def test_a_redirect_in_a_circle_is_refused(client: FlaskClient, files: FileServer) -> None:
    files.redirects["/a.xml"] = "/a.xml"

    assert "redirects" in refusal(post(client, f"{files.url}/a.xml"))


def test_a_sitemap_that_refers_to_itself_is_refused(
    client: FlaskClient, files: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sitemaps, "_SITEMAPS_MAX", 5)
    files.content["/index.xml"] = an_index(f"{files.url}/index.xml")

    assert "more than 5 sitemaps" in refusal(post(client, f"{files.url}/index.xml"))


@pytest.mark.parametrize("where", ["itself", "redirect", "index"])
def test_no_address_is_asked_that_pages_may_not_reach(client: FlaskClient, files: FileServer, where: str) -> None:
    private = "http://127.0.0.2:1/sitemap.xml"
    files.redirects["/redirect"] = private
    files.content["/index"] = an_index(private)
    url = private if where == "itself" else f"{files.url}/{where}"

    assert "not a public address" in refusal(post(client, url))


def test_a_sitemap_that_never_ends_is_given_up(
    client: FlaskClient, files: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sitemaps, "_SECONDS", 0.5)
    files.stalls.add("/sitemap.xml")

    assert "too long" in refusal(post(client, f"{files.url}/sitemap.xml"))
