"""`make demo`: one capture through the HTTP API of a fleet that lives just for it."""

import json
import os
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from examples.site.server import ExampleSite
from fleet.api_keys import parse_api_keys
from fleet.settings import settings
from launcher.fleet import Fleet, FleetOptions, caller_settings, data_folder, free_port

_OUTPUTS = [{"kind": "screenshot", "full_page": True}, {"kind": "pdf", "format": "A4"}]
_FILES = {"screenshot": "page.png", "pdf": "page.pdf"}
_WAIT_SECONDS = 90


def run_demo() -> int:
    folder = data_folder() / "demo"
    site_port = free_port()
    url = os.environ.get("URL") or f"http://127.0.0.1:{site_port}/"
    environment = caller_settings()
    # The page that was asked for may be reached, wherever it is.
    allow = [environment.get("FLEET_EGRESS_ALLOW", ""), urlsplit(url).netloc]
    environment["FLEET_EGRESS_ALLOW"] = ",".join(filter(None, allow))
    options = FleetOptions(
        data=folder,
        bind=os.environ.get("FLEET_BIND", f"127.0.0.1:{free_port()}"),
        workers=1,
        concurrency=2,
        flower=False,
        logs=folder / "logs",
        environment=environment,
    )
    print(f"Starting a fleet (logs in {options.logs}) …", flush=True)
    # The site last: it runs in a thread, and the fleet's programs are forked from this process.
    with Fleet(options) as fleet, ExampleSite(port=site_port):
        print(f"Capturing {url} through {fleet.url}/api/captures …", flush=True)
        job = _capture(fleet.url, url)
        files = _download(fleet.url, job, folder)
    return _report(job, files)


def _capture(api: str, url: str) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{api}/api/captures?wait={_WAIT_SECONDS}",
        data=json.dumps({"url": url, "outputs": _OUTPUTS}).encode(),
        headers={"Content-Type": "application/json", **_authorization()},
    )
    with urllib.request.urlopen(request, timeout=_WAIT_SECONDS + 10) as answer:
        job: dict[str, Any] = json.load(answer)["job"]
        return job


def _authorization() -> dict[str, str]:
    """Any key will do."""
    keys = parse_api_keys(settings().api_keys.get_secret_value())
    return {"Authorization": f"Bearer {keys[0].key}"} if keys else {}


def _download(api: str, job: dict[str, Any], folder: Path) -> list[Path]:
    files = []
    for artifact in (job["result"] or {"artifacts": []})["artifacts"]:
        file = folder / _FILES[artifact["kind"]]
        request = urllib.request.Request(api + artifact["url"], headers=_authorization())
        with urllib.request.urlopen(request, timeout=30) as answer:
            file.write_bytes(answer.read())
        files.append(file)
    return files


def _report(job: dict[str, Any], files: list[Path]) -> int:
    if job["state"] != "succeeded":
        print(f"The capture {job['state']}: {json.dumps(job['error'], indent=2)}")
        return 1
    print(json.dumps(job["result"], indent=2, ensure_ascii=False))
    print("\nThe files:", *(f"  {file}" for file in files), sep="\n")
    return 0
