"""What travels over the socket: one request frame, one answer frame, then the connection is closed.

A frame is a 4-byte big-endian length and that many bytes of MessagePack. A client that goes away before
its answer cancels the call; that is the only cancellation there is.
"""

import struct
from typing import Any, Final

import msgpack

from fleet.errors import FleetError, OutputTooLarge, error_from

LENGTH: Final = struct.Struct(">I")
# A full-page PNG at 16,384 px is about 60 MB at worst; PDFs of image-heavy articles reach 12 MB.
FRAME_MAX_BYTES: Final = 256 * 1024 * 1024

Message = dict[str, Any]


def encode(message: Message) -> bytes:
    body: bytes = msgpack.packb(message)
    if len(body) > FRAME_MAX_BYTES:
        limit = FRAME_MAX_BYTES // 1024 // 1024
        sentence = f"The outputs have {len(body)} bytes together; at most {limit} MiB are passed on. Ask for fewer."
        raise OutputTooLarge(sentence)
    return LENGTH.pack(len(body)) + body


def decode(body: bytes) -> Message:
    message: Message = msgpack.unpackb(body)
    return message


def request(command: str, params: Message, timeout_seconds: float) -> Message:
    return {"command": command, "params": params, "timeout_seconds": timeout_seconds}


def success(result: Message) -> Message:
    return {"result": result}


def failure(error: FleetError) -> Message:
    return {"error": {"code": error.code, "message": error.message, "details": error.details}}


def result_of(answer: Message) -> Message:
    """The result, or the host's error raised."""
    if "error" in answer:
        raise error_from(**answer["error"])
    result: Message = answer["result"]
    return result
