"""Playwright's devices by name, each the context options that it stands for.

devices.json is written by scripts/write_device_presets, so that the API need not import Playwright.
"""

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

DEVICES: Final[Mapping[str, Mapping[str, Any]]] = json.loads(Path(__file__).with_name("devices.json").read_text())


def _check_device(name: str) -> str:
    if name in DEVICES:
        return name
    by_folded = {device.casefold(): device for device in DEVICES}
    close = difflib.get_close_matches(name.casefold(), by_folded, n=1)
    hint = f"did you mean '{by_folded[close[0]]}'?" if close else "take a name of Playwright's list of devices"
    raise PydanticCustomError("unknown_device", "unknown device; {hint}", {"hint": hint})


DeviceName = Annotated[str, Field(max_length=64), AfterValidator(_check_device)]
