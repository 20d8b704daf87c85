"""What a capture can yield. `kind` tells the outputs apart; option names are Playwright's."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from fleet.models.base import Input

# Chrome paints a longer side as repeated or blank tiles (GPU texture limit).
SCREENSHOT_MAX_SIDE = 16_384
# 320 MB as bare pixels, in Chrome and again in whoever opens the picture.
SCREENSHOT_MAX_PIXELS = 80_000_000


class Clip(Input):
    x: Annotated[float, Field(ge=0)]
    y: Annotated[float, Field(ge=0)]
    width: Annotated[float, Field(gt=0, le=SCREENSHOT_MAX_SIDE)]
    height: Annotated[float, Field(gt=0, le=SCREENSHOT_MAX_SIDE)]


class Screenshot(Input):
    kind: Literal["screenshot"]
    type: Literal["png", "jpeg", "webp"] = "png"
    quality: Annotated[int, Field(ge=0, le=100)] | None = None
    full_page: bool = False
    clip: Clip | None = None
    selector: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    omit_background: bool = False
    scale: Literal["css", "device"] = "device"
    animations: Literal["allow", "disabled"] = "allow"
    caret: Literal["hide", "initial"] = "hide"

    @property
    def media_type(self) -> str:
        return f"image/{self.type}"

    @model_validator(mode="after")
    def _one_area(self) -> Self:
        areas = [name for name in ("full_page", "clip", "selector") if getattr(self, name)]
        if len(areas) > 1:
            raise PydanticCustomError("contradiction", "give only one of {areas}", {"areas": ", ".join(areas)})
        if self.type == "png" and self.quality is not None:
            raise PydanticCustomError("contradiction", "quality is for jpeg and webp; png is lossless", {})
        return self


Length = Annotated[str, Field(pattern=r"^\d+(\.\d+)?(px|in|cm|mm)$", max_length=16)]


class Margin(Input):
    top: Length = "0px"
    right: Length = "0px"
    bottom: Length = "0px"
    left: Length = "0px"


class Pdf(Input):
    kind: Literal["pdf"]
    format: Literal["Letter", "Legal", "Tabloid", "Ledger", "A0", "A1", "A2", "A3", "A4", "A5", "A6"] | None = None
    width: Length | None = None
    height: Length | None = None
    landscape: bool = False
    scale: Annotated[float, Field(ge=0.1, le=2)] = 1
    margin: Margin | None = None
    # Playwright's default is False; users expect what they see, and false is the top support question elsewhere.
    print_background: bool = True
    page_ranges: Annotated[str, Field(pattern=r"^[\d\s,-]+$", max_length=256)] | None = None
    prefer_css_page_size: bool = False
    display_header_footer: bool = False
    header_template: Annotated[str, Field(max_length=65_536)] | None = None
    footer_template: Annotated[str, Field(max_length=65_536)] | None = None
    outline: bool = False
    tagged: bool = False

    @property
    def media_type(self) -> str:
        return "application/pdf"


class Html(Input):
    kind: Literal["html"]

    @property
    def media_type(self) -> str:
        return "text/html"


Output = Annotated[Screenshot | Pdf | Html, Field(discriminator="kind")]
