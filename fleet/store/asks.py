"""What viewers ask of the host that holds their session: input, and word that a frame has arrived."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from fleet import keys
from fleet.models.base import Record
from fleet.models.input import Input
from fleet.store.connection import RedisClient


class Delivered(Record):
    """The first viewer has the frame of that number: the page may send another."""

    ask: Literal["delivered"] = "delivered"
    frame: int


class InputAsk(Record):
    ask: Literal["input"] = "input"
    viewer_id: str
    input: Input


Ask = Annotated[Delivered | InputAsk, Field(discriminator="ask")]
_ASK: TypeAdapter[Ask] = TypeAdapter(Ask)


def read_ask(message: str) -> Ask:
    return _ASK.validate_json(message)


class AskStore:
    def __init__(self, client: RedisClient) -> None:
        self._client = client

    def send(self, session_id: str, ask: Ask) -> bool:
        """False: no host listens (yet)."""
        return self._client.publish(keys.session_asks(session_id), ask.model_dump_json()) > 0
