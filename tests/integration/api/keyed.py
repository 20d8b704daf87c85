"""An API that asks for keys."""

from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr

from app.factory import create_app
from fleet.settings import Settings
from fleet.store import Store
from tests.doubles import RecordingQueue

CI = "the-key-of-the-pipeline"
OTHER = "the-key-of-somebody-else"
OPS = "the-key-of-the-operator"
KEYS = f"ci:{CI},other:{OTHER},ops:{OPS}:admin"
SECRET = "a secret that all replicas share"


def a_keyed_app(settings: Settings, store: Store, *, keys: str = KEYS, secret: str | None = SECRET) -> Flask:
    changes = {"api_keys": SecretStr(keys), "secret_key": SecretStr(secret) if secret else None}
    return create_app(settings.model_copy(update=changes), store=store, queue=RecordingQueue())


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def browser(app: Flask, key: str | None = None) -> FlaskClient:
    """Keeps cookies; logged in with the key."""
    client = app.test_client()
    if key is not None:
        answer = client.post("/login", data={"key": key})
        assert answer.status_code == 303, answer.text
    return client
