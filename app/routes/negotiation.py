"""What `Accept` asks for: the job as JSON, or the bytes of one of its outputs."""

from pydantic import TypeAdapter
from werkzeug.datastructures import MIMEAccept

from fleet.errors import NotAcceptable
from fleet.models.capture import CaptureRequest, OneShotCaptureRequest
from fleet.models.outputs import Output

_JSON = "application/json"
_OUTPUTS = {
    "image/png": {"kind": "screenshot"},
    "image/jpeg": {"kind": "screenshot", "type": "jpeg"},
    "image/webp": {"kind": "screenshot", "type": "webp"},
    "application/pdf": {"kind": "pdf"},
    "text/html": {"kind": "html"},
}


def with_wanted_output(capture: OneShotCaptureRequest, accept: MIMEAccept) -> OneShotCaptureRequest:
    """A capture that names no outputs gets the one that `Accept` names."""
    wanted = accept.best_match([_JSON, *_OUTPUTS], default=_JSON)
    if "outputs" in capture.model_fields_set or wanted == _JSON:
        return capture
    output: Output = TypeAdapter(Output).validate_python(_OUTPUTS[wanted])
    fields = {name: getattr(capture, name) for name in capture.model_fields_set}
    return OneShotCaptureRequest.model_construct(_fields_set={*fields, "outputs"}, **fields, outputs=[output])


def wanted_media_type(capture: CaptureRequest, accept: MIMEAccept) -> str | None:
    """None: JSON. Raises NotAcceptable if the capture yields nothing that the client takes."""
    offered = [_JSON, *(output.media_type for output in capture.outputs)]
    best = accept.best_match(offered) if accept else _JSON
    if best is None:
        listed = ", ".join(offered)
        raise NotAcceptable(f"This capture can be answered as {listed}; Accept names none of them.")
    return None if best == _JSON else best
