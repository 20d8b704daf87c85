"""The application: wired by arguments, nothing global."""

from flask import Flask
from flask_openapi3 import Info, OpenAPI
from flask_openapi3_scalar.plugins import RegisterPlugin as ScalarPlugin

from app.authentication import register_authentication
from app.errors import raise_invalid, register_error_handlers
from app.json_request import JsonRequest
from app.metrics import ApiCounts
from app.pages.dashboard import register_dashboard
from app.request_counts import register_request_counts
from app.request_ids import register_request_ids
from app.routes import (
    artifacts,
    batches,
    captures,
    documentation,
    health,
    jobs,
    metrics,
    responses,
    scripts,
    sessions,
    status,
    streams,
    webhooks,
    workers,
)
from app.same_origin import register_same_origin
from app.task_queue import CeleryTaskQueue, TaskQueue
from app.wiring import EXTENSION, make_services
from fleet import __version__
from fleet.api_keys import parse_api_keys
from fleet.artifacts.storage import ArtifactStorage, open_storage
from fleet.bind import is_loopback
from fleet.settings import Settings
from fleet.store import Store, open_store

# A client waits for the answer: one more try, then 503.
_STORE_RETRIES = 1

_DESCRIPTION = """Sessions, captures and jobs of a fleet of headless Chromes.

Option names are Playwright's, in snake_case (camelCase is accepted). Times are ISO 8601 in UTC; durations are
seconds where the name ends in `ttl`, `wait`, `after` or `_seconds`, else milliseconds. Every error has the shape
`{"error": {"code", "message", "details", "request_id"}}`. Where the operator has set API keys, every call but those
for health and this document takes one: 401 `unauthorized` without."""


def create_app(
    settings: Settings,
    *,
    store: Store | None = None,
    queue: TaskQueue | None = None,
    storage: ArtifactStorage | None = None,
    counts: ApiCounts | None = None,
) -> Flask:
    """`store`, `queue`, `storage`: the seams; by default what the settings say.

    `counts`: of all processes of the API; by default this is the only one.
    """
    counts = counts or ApiCounts()
    has_keys = bool(parse_api_keys(settings.api_keys.get_secret_value()))
    app = OpenAPI(
        __name__,
        info=Info(title="Capture Fleet", version=__version__, description=_DESCRIPTION),
        validation_error_status=400,
        validation_error_callback=raise_invalid,
        validation_error_model=documentation.ErrorAnswer,
        doc_ui=False,
        security_schemes=documentation.SECURITY_SCHEMES,
        openapi_extensions={"security": documentation.SECURITY} if has_keys else None,
        # The dashboard's files are all that there is under /static.
        static_folder=None,
    )
    app.request_class = JsonRequest
    app.config["MAX_CONTENT_LENGTH"] = settings.body_limit_bytes
    app.json.sort_keys = False  # type: ignore[attr-defined]  # Flask's default provider has it
    app.extensions[EXTENSION] = make_services(
        settings,
        store=store or open_store(settings, retries=_STORE_RETRIES, on_session_end=counts.session_ended),
        queue=queue or CeleryTaskQueue(settings.redis_url),
        storage=storage or open_storage(settings.artifacts_url),
        counts=counts,
    )
    register_request_ids(app)
    register_request_counts(app, counts)
    register_error_handlers(app)
    register_same_origin(app)
    register_authentication(app)
    # The reference's script and style come with the package, so that /docs needs no other host.
    app.register_blueprint(ScalarPlugin.register(doc_url="/api/openapi.json"), url_prefix="/docs")
    for routes in (
        *(sessions, streams, scripts, captures, batches, responses, jobs, artifacts),
        *(webhooks, workers, status, metrics, health, documentation),
    ):
        app.register_api(routes.api)
    register_dashboard(app, flower_url=_flower_url(settings))
    return app


def _flower_url(settings: Settings) -> str | None:
    """What it binds is what people on the same machine can open, unless it binds all addresses."""
    on_loopback = f"http://{settings.flower_bind}" if is_loopback(settings.flower_bind) else None
    return settings.flower_url or on_loopback
