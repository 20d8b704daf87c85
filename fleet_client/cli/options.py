"""What the commands have in common: options in groups, and how our errors end a command.

A command takes groups (dataclasses) as parameters; typer is shown their fields.
"""

import dataclasses
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, TypeVar, get_type_hints

import typer
from typer import Option

from fleet_client import AsyncFleetClient, FleetClient, FleetClientError, Retries
from fleet_client.cli.printing import print_error, print_pause
from fleet_client.transport import DEFAULT_URL

INTERRUPTED = 130
# Somebody looks at the terminal: a fleet that is down is to be told within seconds.
IMPATIENT = Retries(times=3, seconds=60, on_pause=print_pause)
# A batch goes on for hours, and a fleet may be restarted meanwhile.
PATIENT = Retries(times=20, seconds=300, on_pause=print_pause)

Client = TypeVar("Client")

_FLEET = "The fleet"
_BROWSER = "The browser"
_VISIT = "Waiting for the page"
_PICTURE = "The picture"
_PAPER = "The PDF"


@dataclass(frozen=True)
class Server:
    server: Annotated[
        str,
        Option("--server", "-s", metavar="URL", envvar="FLEET_URL", help="Address of the API.", rich_help_panel=_FLEET),
    ] = DEFAULT_URL
    api_key: Annotated[
        str | None,
        Option(
            "--api-key",
            metavar="KEY",
            envvar="FLEET_API_KEY",
            show_envvar=True,
            help="Better by the variable: others may see your command lines.",
            rich_help_panel=_FLEET,
        ),
    ] = None

    def client(self, retries: Retries = IMPATIENT) -> FleetClient:
        return _made(lambda: FleetClient(self.server, api_key=self.api_key, retries=retries))

    def async_client(self, retries: Retries = IMPATIENT) -> AsyncFleetClient:
        return _made(lambda: AsyncFleetClient(self.server, api_key=self.api_key, retries=retries))


class WaitUntil(StrEnum):
    COMMIT = "commit"
    DOMCONTENTLOADED = "domcontentloaded"
    LOAD = "load"
    NETWORKIDLE = "networkidle"


class PictureType(StrEnum):
    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"


class PaperFormat(StrEnum):
    A3 = "A3"
    A4 = "A4"
    A5 = "A5"
    LETTER = "Letter"
    LEGAL = "Legal"
    TABLOID = "Tabloid"


@dataclass(frozen=True)
class Browser:
    """Of the context that the page is opened in."""

    width: Annotated[
        int | None,
        Option(
            "--width",
            metavar="PIXELS",
            min=1,
            max=8192,
            help="Of the window, in pixels. Default: 1280.",
            rich_help_panel=_BROWSER,
        ),
    ] = None
    height: Annotated[
        int | None,
        Option(
            "--height",
            metavar="PIXELS",
            min=1,
            max=8192,
            help="Of the window, in pixels. Default: 720.",
            rich_help_panel=_BROWSER,
        ),
    ] = None
    device: Annotated[
        str | None,
        Option("--device", metavar="NAME", help="Such as 'iPhone 15' or 'Pixel 7'.", rich_help_panel=_BROWSER),
    ] = None
    dark: Annotated[
        bool, Option("--dark", metavar="", help="Ask the page for its dark colours.", rich_help_panel=_BROWSER)
    ] = False
    locale: Annotated[
        str | None, Option("--locale", metavar="TAG", help="Such as de-DE.", rich_help_panel=_BROWSER)
    ] = None
    timezone: Annotated[
        str | None, Option("--timezone", metavar="ZONE", help="Such as Europe/Rome.", rich_help_panel=_BROWSER)
    ] = None
    user_agent: Annotated[
        str | None,
        Option("--user-agent", metavar="TEXT", help="Instead of Chrome's own.", rich_help_panel=_BROWSER),
    ] = None
    header: Annotated[
        list[str] | None,
        Option("--header", "-H", metavar="'NAME: VALUE'", help="Sent along; repeatable.", rich_help_panel=_BROWSER),
    ] = None
    ignore_https_errors: Annotated[
        bool, Option("--ignore-https-errors", metavar="", help="Accept any certificate.", rich_help_panel=_BROWSER)
    ] = False

    def context(self) -> dict[str, Any]:
        """Under the API's names; only what was given."""
        given = {
            "device": self.device,
            "viewport": self._viewport(),
            "color_scheme": "dark" if self.dark else None,
            "locale": self.locale,
            "timezone_id": self.timezone,
            "user_agent": self.user_agent,
            "extra_http_headers": dict(_header(one) for one in self.header or []) or None,
            "ignore_https_errors": self.ignore_https_errors or None,
        }
        return _only_given(given)

    def _viewport(self) -> dict[str, int] | None:
        if self.width is None and self.height is None:
            return None
        return {"width": self.width or 1280, "height": self.height or 720}


@dataclass(frozen=True)
class Visit:
    wait_for: Annotated[
        str | None,
        Option("--wait-for", metavar="SELECTOR", help="Until something visible matches.", rich_help_panel=_VISIT),
    ] = None
    wait_until: Annotated[
        WaitUntil | None,
        Option("--wait-until", help="Of the page's loading. Default: load.", rich_help_panel=_VISIT),
    ] = None
    delay: Annotated[
        float | None,
        Option("--delay", metavar="SECONDS", min=0, max=60, help="After all other waits.", rich_help_panel=_VISIT),
    ] = None
    scroll: Annotated[
        bool,
        Option(
            "--scroll",
            metavar="",
            help="Through the page first, so that it loads what it shows.",
            rich_help_panel=_VISIT,
        ),
    ] = False
    timeout: Annotated[
        float | None,
        Option(
            "--timeout",
            metavar="SECONDS",
            min=0.001,
            max=300,
            help="For the whole capture. Default: 60.",
            rich_help_panel=_VISIT,
        ),
    ] = None

    def body(self) -> dict[str, Any]:
        """Under the API's names; only what was given."""
        timeout = _only_given({"timeout": None if self.timeout is None else _ms(self.timeout)})
        goto = _only_given({"wait_until": None if self.wait_until is None else self.wait_until.value}) | timeout
        given = {
            "goto": goto or None,
            "wait_for_selector": None if self.wait_for is None else {"selector": self.wait_for, **timeout},
            "scroll_page": {} if self.scroll else None,
            "wait_for_timeout": None if self.delay is None else _ms(self.delay),
        }
        return _only_given(given) | timeout


@dataclass(frozen=True)
class Picture:
    full_page: Annotated[
        bool,
        Option("--full-page", "-f", metavar="", help="All of the page, not just the window.", rich_help_panel=_PICTURE),
    ] = False
    selector: Annotated[
        str | None,
        Option("--selector", metavar="SELECTOR", help="Only what it matches first.", rich_help_panel=_PICTURE),
    ] = None
    type: Annotated[
        PictureType | None,
        Option("--type", "-t", help="Default: by the file's name, else png.", rich_help_panel=_PICTURE),
    ] = None
    quality: Annotated[
        int | None, Option("--quality", metavar="N", min=0, max=100, help="Of jpeg and webp.", rich_help_panel=_PICTURE)
    ] = None
    transparent: Annotated[
        bool,
        Option(
            "--transparent", metavar="", help="No white behind a page without background.", rich_help_panel=_PICTURE
        ),
    ] = False

    def output(self, kind: PictureType) -> dict[str, Any]:
        """Under the API's names; only what was given."""
        given = {
            "type": kind.value,
            "full_page": self.full_page or None,
            "selector": self.selector,
            "quality": self.quality,
            "omit_background": self.transparent or None,
        }
        return {"kind": "screenshot", **_only_given(given)}


@dataclass(frozen=True)
class Paper:
    format: Annotated[PaperFormat | None, Option("--format", help="Default: Letter.", rich_help_panel=_PAPER)] = None
    landscape: Annotated[bool, Option("--landscape", metavar="", help="Wider than high.", rich_help_panel=_PAPER)] = (
        False
    )
    scale: Annotated[
        float | None, Option("--scale", metavar="FACTOR", min=0.1, max=2, help="Default: 1.", rich_help_panel=_PAPER)
    ] = None
    margin: Annotated[
        str | None, Option("--margin", metavar="LENGTH", help="On all sides, such as 1.5cm.", rich_help_panel=_PAPER)
    ] = None
    pages: Annotated[str | None, Option("--pages", metavar="RANGES", help="Such as 1-3,7.", rich_help_panel=_PAPER)] = (
        None
    )
    no_background: Annotated[
        bool, Option("--no-background", metavar="", help="Without colours and pictures behind.", rich_help_panel=_PAPER)
    ] = False

    def output(self) -> dict[str, Any]:
        """Under the API's names; only what was given."""
        given = {
            "format": None if self.format is None else self.format.value,
            "landscape": self.landscape or None,
            "scale": self.scale,
            "margin": None if self.margin is None else dict.fromkeys(("top", "right", "bottom", "left"), self.margin),
            "page_ranges": self.pages,
            "print_background": False if self.no_background else None,
        }
        return {"kind": "pdf", **_only_given(given)}


Json = Annotated[bool, Option("--json", metavar="", help="For scripts: one JSON object a line on standard output.")]


def command(function: Callable[..., None]) -> Callable[..., None]:
    """As typer takes it: groups become their fields, and our errors the end of the program."""
    hints = get_type_hints(function)
    groups: dict[str, type[Any]] = {
        name: hint for name, hint in hints.items() if isinstance(hint, type) and dataclasses.is_dataclass(hint)
    }

    def run(**given: Any) -> None:
        made = {
            name: cls(**{field.name: given.pop(field.name) for field in dataclasses.fields(cls)})
            for name, cls in groups.items()
        }
        try:
            function(**given, **made)
        except FleetClientError as error:
            print_error(error)
            raise typer.Exit(1) from error
        except KeyboardInterrupt as error:
            raise typer.Exit(INTERRUPTED) from error

    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in groups:
            parameters += _fields(groups[parameter.name])
        else:
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what inspect looks for
    run.__name__, run.__doc__ = function.__name__, function.__doc__
    return run


def _fields(group: type[Any]) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(one.name, inspect.Parameter.KEYWORD_ONLY, default=one.default, annotation=hints[one.name])
        for one in dataclasses.fields(group)
    ]


def _made(make: Callable[[], Client]) -> Client:
    try:
        return make()
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--server") from error


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise typer.BadParameter(f"'{text}' is not of the form 'Name: value'.", param_hint="--header")
    return name.strip(), value.strip()


def _only_given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
