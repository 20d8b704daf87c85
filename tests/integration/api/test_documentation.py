import re
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import sync_playwright
from werkzeug.serving import make_server

from fleet.settings import Settings
from tests.integration.conftest import missing

_CONTRACT = {
    ("post", "/api/sessions"),
    ("get", "/api/sessions"),
    ("get", "/api/sessions/{session_id}"),
    ("delete", "/api/sessions/{session_id}"),
    ("get", "/api/sessions/{session_id}/storage_state"),
    ("post", "/api/sessions/{session_id}/captures"),
    ("get", "/api/sessions/{session_id}/responses"),
    ("delete", "/api/sessions/{session_id}/responses"),
    ("get", "/api/sessions/{session_id}/responses/{response_id}"),
    ("get", "/api/sessions/{session_id}/responses/{response_id}/body"),
    ("get", "/api/sessions/{session_id}/scripts"),
    ("post", "/api/sessions/{session_id}/scripts"),
    ("delete", "/api/sessions/{session_id}/scripts/{script_id}"),
    ("get", "/api/sessions/{session_id}/stream"),
    ("post", "/api/sessions/{session_id}/view_links"),
    ("post", "/api/captures"),
    ("get", "/api/jobs"),
    ("get", "/api/jobs/{job_id}"),
    ("delete", "/api/jobs/{job_id}"),
    ("get", "/api/artifacts/{artifact_id}"),
    ("post", "/api/batches"),
    ("get", "/api/batches"),
    ("get", "/api/batches/{batch_id}"),
    ("delete", "/api/batches/{batch_id}"),
    ("get", "/api/batches/{batch_id}/items"),
    ("get", "/api/batches/{batch_id}/archive"),
    ("post", "/api/batches/{batch_id}/pause"),
    ("post", "/api/batches/{batch_id}/resume"),
    ("post", "/api/batches/{batch_id}/retry"),
    ("get", "/api/artifacts/{artifact_id}/link"),
    ("get", "/api/webhooks"),
    ("get", "/api/webhooks/{webhook_id}"),
    ("get", "/api/workers"),
    ("post", "/api/workers/{name}/drain"),
    ("get", "/api/status"),
    ("get", "/metrics"),
    ("get", "/healthz"),
    ("get", "/readyz"),
}
# The documentation itself.
_UNLISTED = ("/docs", "/api/openapi.json", "/static/")

# Chrome finds no address but this machine's, so that a page that asks others shows it and does not reach them.
_NO_OTHER_HOST = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/api/openapi.json").get_json()
    return found


@pytest.fixture
def served(app: Flask) -> Iterator[str]:
    """The address of the API on a real port."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    serving.join()
    server.server_close()


def operations(document: dict[str, Any]) -> set[tuple[str, str]]:
    return {(method, path) for path, methods in document["paths"].items() for method in methods}


def references(part: Any) -> set[str]:
    """Every `$ref` below a part of the document."""
    if isinstance(part, dict):
        here = {part["$ref"]} if "$ref" in part else set()
        return here.union(*(references(inner) for inner in part.values()))
    if isinstance(part, list):
        return set().union(*(references(inner) for inner in part))
    return set()


def test_the_document_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])


def test_every_call_of_the_contract_is_documented(document: dict[str, Any]) -> None:
    assert operations(document) >= _CONTRACT


def test_every_call_that_the_api_answers_is_documented(app: Flask, document: dict[str, Any]) -> None:
    answered = {
        (method.lower(), re.sub(r"<(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        if not rule.endpoint.startswith("dashboard.")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if not rule.rule.startswith(_UNLISTED)
    }

    assert operations(document) == answered


def test_every_reference_within_the_document_leads_somewhere(document: dict[str, Any]) -> None:
    found = references(document["paths"])

    assert found
    assert {reference.rpartition("/")[2] for reference in found} <= set(document["components"]["schemas"])


def test_every_call_says_what_it_does(document: dict[str, Any]) -> None:
    silent = [(method, path) for method, path in operations(document) if not document["paths"][path][method]["summary"]]

    assert silent == []


def test_the_documentation_of_a_body_has_its_fields(document: dict[str, Any]) -> None:
    body = document["paths"]["/api/captures"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    schema = document["components"]["schemas"][body["$ref"].rpartition("/")[2]]

    assert {"url", "html", "outputs", "context"} <= set(schema["properties"])


def test_the_page_refers_to_no_other_host(client: FlaskClient) -> None:
    page = client.get("/docs").text
    linked = re.findall(r"""(?:src|href|data-url)=["']([^"']+)""", page)

    assert linked
    assert [link for link in linked if not link.startswith("/")] == []


def test_the_script_of_the_page_is_there(client: FlaskClient) -> None:
    (script,) = re.findall(r'<script src="([^"]+)"', client.get("/docs").text)

    assert client.get(script, buffered=True).status_code == 200


def test_a_browser_that_opens_the_page_asks_no_other_host(served: str, settings: Settings) -> None:
    try:
        chrome = settings.chrome_executable()
    except FileNotFoundError:
        missing("chromium-headless-shell")
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chrome, args=[_NO_OTHER_HOST]) as browser,
    ):
        page = browser.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{served}/docs", wait_until="networkidle")
        page.get_by_text("Create a session").first.wait_for(timeout=20_000)

    assert f"{served}/api/openapi.json" in asked
    assert {urlsplit(url).netloc for url in asked if url.startswith(("http", "ws"))} == {urlsplit(served).netloc}
