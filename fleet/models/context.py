"""Options of a browser context, under Playwright's names (`browser.new_context`)."""

import json
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from fleet.models.base import Input
from fleet.models.devices import DEVICES, DeviceName
from fleet.models.outputs import SCREENSHOT_MAX_PIXELS

_HEADERS_MAX = 64
_HEADER_VALUE = r"^[\t\x20-\x7e\x80-\xff]*$"

# Playwright's own name for a part of a partitioned cookie's key.
_CROSS_SITE = "_crHasCrossSiteAncestor"

# Those that Playwright maps to one of Chromium's, but for clipboard-read: all contexts of a Chrome share one clipboard.
Permission = Literal[
    "accelerometer",
    "ambient-light-sensor",
    "background-sync",
    "camera",
    "clipboard-write",
    "geolocation",
    "gyroscope",
    "local-fonts",
    "local-network-access",
    "magnetometer",
    "microphone",
    "midi",
    "midi-sysex",
    "notifications",
    "payment-handler",
    "screen-wake-lock",
    "storage-access",
]


class Viewport(Input):
    width: Annotated[int, Field(ge=1, le=8192)]
    height: Annotated[int, Field(ge=1, le=8192)]


class Geolocation(Input):
    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]
    accuracy: Annotated[float, Field(ge=0)] = 0


class HttpCredentials(Input):
    username: str
    password: str
    origin: str | None = None


class Proxy(Input):
    """Playwright's `bypass` is not offered: what it names would be reached past the egress policy."""

    server: Annotated[str, Field(pattern=r"^(http|socks5)://[^/@\s]+$", max_length=512)]
    username: str | None = None
    password: str | None = None


class Cookie(Input):
    """As Playwright gives and takes it, its private fields (`_…`) included."""

    name: str
    value: str
    domain: str | None = None
    path: str | None = None
    url: str | None = None
    expires: float = -1
    http_only: bool = False
    secure: bool = False
    same_site: Literal["Strict", "Lax", "None"] = "Lax"
    partition_key: str | None = None
    cr_has_cross_site_ancestor: bool | None = None

    @model_validator(mode="before")
    @classmethod
    def _name_private_fields(cls, data: Any) -> Any:
        """Those that this Playwright does not know would mean nothing to it."""
        if not isinstance(data, dict):
            return data
        private = {_CROSS_SITE: "cr_has_cross_site_ancestor"}
        return {private.get(name, name): data[name] for name in data if name in private or not name.startswith("_")}

    def to_playwright(self) -> dict[str, Any]:
        fields = self.model_dump(exclude_none=True, exclude={"cr_has_cross_site_ancestor"})
        cookie = {to_camel(name): value for name, value in fields.items()}
        if self.cr_has_cross_site_ancestor is not None:
            cookie[_CROSS_SITE] = self.cr_has_cross_site_ancestor
        return cookie


def _without_infinities(origins: list[dict[str, Any]]) -> list[dict[str, Any]]:
    json.dumps(origins, allow_nan=False)
    return origins


class StorageState(Input):
    """What Playwright's `context.storage_state()` returned, here or elsewhere."""

    cookies: list[Cookie] = []
    origins: Annotated[list[dict[str, Any]], AfterValidator(_without_infinities)] = []


Headers = Annotated[
    dict[
        Annotated[str, Field(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", max_length=256)],
        Annotated[str, Field(pattern=_HEADER_VALUE, max_length=8192)],
    ],
    Field(max_length=_HEADERS_MAX),
]


class ContextOptions(Input):
    """What is given wins over what `device` brings."""

    device: DeviceName | None = None
    viewport: Viewport | None = None
    screen: Viewport | None = None
    user_agent: Annotated[str, Field(pattern=_HEADER_VALUE, max_length=1024)] | None = None
    locale: Annotated[str, Field(max_length=64)] | None = None
    timezone_id: Annotated[str, Field(max_length=64)] | None = None
    color_scheme: Literal["light", "dark", "no-preference"] | None = None
    reduced_motion: Literal["reduce", "no-preference"] | None = None
    forced_colors: Literal["active", "none"] | None = None
    contrast: Literal["more", "no-preference"] | None = None
    device_scale_factor: Annotated[float, Field(gt=0, le=4)] | None = None
    is_mobile: bool | None = None
    has_touch: bool | None = None
    extra_http_headers: Headers | None = None
    http_credentials: HttpCredentials | None = None
    geolocation: Geolocation | None = None
    permissions: Annotated[list[Permission], Field(max_length=32)] | None = None
    java_script_enabled: bool | None = None
    ignore_https_errors: bool | None = None
    bypass_csp: bool | None = None
    offline: bool | None = None
    service_workers: Literal["allow", "block"] | None = None
    storage_state: StorageState | None = None
    proxy: Proxy | None = None

    @model_validator(mode="after")
    def _paintable(self) -> Self:
        painted = self._preset() | self.model_dump(include={"viewport", "device_scale_factor"}, exclude_none=True)
        ratio, viewport = painted.get("device_scale_factor", 1), painted.get("viewport")
        if viewport and viewport["width"] * viewport["height"] * ratio**2 > SCREENSHOT_MAX_PIXELS:
            raise PydanticCustomError(
                "too_large",
                "viewport times device_scale_factor has more than {limit} pixels",
                {"field": "viewport", "limit": SCREENSHOT_MAX_PIXELS},
            )
        return self

    def _preset(self) -> dict[str, Any]:
        return dict(DEVICES[self.device]) if self.device else {}

    def to_playwright(self) -> dict[str, Any]:
        """Keyword arguments of `browser.new_context`: only what was asked for."""
        options = self.model_dump(exclude_none=True, include=set(ContextOptions.model_fields) - {"device"})
        if self.storage_state is not None:
            # The one place where Playwright itself speaks camelCase, also in Python.
            options["storage_state"]["cookies"] = [cookie.to_playwright() for cookie in self.storage_state.cookies]
        return self._preset() | options
