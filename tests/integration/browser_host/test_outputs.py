"""What a capture yields is what it says it is, and all of it from one load of the page."""

from io import BytesIO
from typing import Any

import pytest
from pypdf import PdfReader

from examples.site.server import ExampleSite
from fleet.errors import SelectorNotFound
from fleet.models.outputs import SCREENSHOT_MAX_PIXELS, SCREENSHOT_MAX_SIDE
from tests.integration.browser_host.browser import HTML_OUTPUT, Browser, Captured
from tests.pages.server import PagesServer

VIEWPORT = {"width": 640, "height": 400}
BOX_RED = (204, 0, 0)
BOX_PIXELS = 120 * 80
CLIP = {"x": 0, "y": 0, "width": 100, "height": 50}


def screenshot(**options: Any) -> dict[str, Any]:
    return {"kind": "screenshot", **options}


def colors(captured: Captured) -> Any:
    """How many pixels of which colour."""
    return captured.picture.convert("RGB").getcolors()


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
async def test_a_screenshot_is_a_picture_of_its_type(browser: Browser, pages: PagesServer, kind: str) -> None:
    captured = await browser.capture(f"{pages.url}/plain", outputs=[screenshot(type=kind)])
    assert captured.picture.format == kind.upper()


async def test_a_screenshot_has_the_size_of_the_viewport(browser: Browser, pages: PagesServer) -> None:
    captured = await browser.capture(f"{pages.url}/tall", context={"viewport": VIEWPORT})
    assert captured.picture.size == (640, 400)


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({}, (1280, 800)),
        ({"full_page": True}, (1280, 800)),
        ({"clip": CLIP}, (200, 100)),
        ({"selector": "#box"}, (240, 160)),
        ({"scale": "css"}, (640, 400)),
    ],
)
async def test_a_screenshot_has_the_pixels_of_the_device(
    browser: Browser, pages: PagesServer, options: dict[str, Any], size: tuple[int, int]
) -> None:
    context = {"viewport": VIEWPORT, "device_scale_factor": 2}
    captured = await browser.capture(f"{pages.url}/plain", context=context, outputs=[screenshot(**options)])
    assert captured.picture.size == size


async def test_a_full_page_screenshot_has_the_height_of_the_document(browser: Browser) -> None:
    html = "<body style='margin:0'><div style='height:3210px'></div>"
    captured = await browser.capture(html=html, context={"viewport": VIEWPORT}, outputs=[screenshot(full_page=True)])
    assert captured.picture.size == (640, 3210)


@pytest.mark.parametrize("ratio", [1, 2])
async def test_a_page_taller_than_chrome_paints_is_cut_with_a_warning(
    browser: Browser, pages: PagesServer, ratio: int
) -> None:
    captured = await browser.capture(
        f"{pages.url}/tall",
        context={"viewport": VIEWPORT, "device_scale_factor": ratio},
        outputs=[screenshot(full_page=True)],
    )
    assert captured.picture.height == SCREENSHOT_MAX_SIDE
    assert [str(SCREENSHOT_MAX_SIDE) in warning for warning in captured.visit.warnings] == [True]


@pytest.mark.parametrize("ratio", [1, 2])
async def test_an_element_taller_than_chrome_paints_is_cut_with_a_warning(browser: Browser, ratio: int) -> None:
    html = "<body style='margin:0;padding-top:500px'><div id=long style='height:30000px'></div>"
    captured = await browser.capture(
        html=html,
        context={"viewport": VIEWPORT, "device_scale_factor": ratio},
        outputs=[screenshot(selector="#long")],
    )
    assert captured.picture.size == (640 * ratio, SCREENSHOT_MAX_SIDE)
    assert [str(SCREENSHOT_MAX_SIDE) in warning for warning in captured.visit.warnings] == [True]


async def test_a_page_of_too_many_pixels_is_cut_with_a_warning(browser: Browser) -> None:
    html = "<body style='margin:0'><div style='width:12000px;height:12000px'></div>"
    captured = await browser.capture(html=html, outputs=[screenshot(full_page=True, type="jpeg")])
    width, height = captured.picture.size
    assert width == 12_000
    assert SCREENSHOT_MAX_PIXELS - width < width * height <= SCREENSHOT_MAX_PIXELS
    assert len(captured.visit.warnings) == 1


async def test_a_clip_is_cut_from_where_it_says(browser: Browser, pages: PagesServer) -> None:
    clip = {"x": 40, "y": 30, "width": 120, "height": 80}
    captured = await browser.capture(f"{pages.url}/plain", outputs=[screenshot(clip=clip)])
    assert colors(captured) == [(BOX_PIXELS, BOX_RED)]


async def test_a_selector_captures_its_element_and_nothing_else(browser: Browser, pages: PagesServer) -> None:
    captured = await browser.capture(f"{pages.url}/plain", outputs=[screenshot(selector="#box")])
    assert colors(captured) == [(BOX_PIXELS, BOX_RED)]


async def test_a_selector_that_matches_nothing_visible_is_said_so(browser: Browser, pages: PagesServer) -> None:
    with pytest.raises(SelectorNotFound, match="#missing"):
        await browser.capture(f"{pages.url}/plain", outputs=[screenshot(selector="#missing")])


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
async def test_a_lower_quality_makes_a_smaller_file(browser: Browser, site: ExampleSite, kind: str) -> None:
    qualities = [screenshot(type=kind, quality=90), screenshot(type=kind, quality=10)]
    captured = await browser.capture(f"{site.url}/", outputs=qualities)
    fine, coarse = captured.contents
    assert len(coarse) < len(fine) / 2


async def test_an_omitted_background_is_transparent(browser: Browser) -> None:
    captured = await browser.capture(html="<p>Over nothing", outputs=[screenshot(omit_background=True)])
    assert captured.picture.convert("RGBA").getpixel((1270, 710)) == (0, 0, 0, 0)


@pytest.mark.parametrize("options", [{}, {"clip": CLIP}], ids=str)
async def test_a_screenshot_within_the_viewport_does_not_resize_the_page(
    browser: Browser, pages: PagesServer, options: dict[str, Any]
) -> None:
    captured = await browser.capture(f"{pages.url}/resizes", outputs=[screenshot(**options), HTML_OUTPUT])
    assert "resized 0 times" in captured.contents[-1].decode()


async def test_a_pdf_has_the_pages_of_a_long_table(browser: Browser, site: ExampleSite) -> None:
    captured = await browser.capture(f"{site.url}/table", outputs=[{"kind": "pdf", "format": "A4"}])
    assert len(PdfReader(BytesIO(captured.content)).pages) >= 3


async def test_a_pdf_carries_the_text_of_the_page(browser: Browser, site: ExampleSite) -> None:
    captured = await browser.capture(f"{site.url}/table", outputs=[{"kind": "pdf"}])
    assert "The bright star list" in PdfReader(BytesIO(captured.content)).pages[0].extract_text()


async def test_the_page_ranges_of_a_pdf_are_all_it_has(browser: Browser, site: ExampleSite) -> None:
    captured = await browser.capture(f"{site.url}/table", outputs=[{"kind": "pdf", "page_ranges": "2-3"}])
    assert len(PdfReader(BytesIO(captured.content)).pages) == 2


async def test_html_is_the_document_as_scripts_left_it(browser: Browser, pages: PagesServer) -> None:
    captured = await browser.capture(f"{pages.url}/scripted", outputs=[HTML_OUTPUT])
    assert "made by 2 scripts" in captured.text


async def test_all_outputs_come_from_one_load_of_the_page(browser: Browser, pages: PagesServer) -> None:
    outputs = [screenshot(), screenshot(full_page=True, type="webp"), {"kind": "pdf"}, HTML_OUTPUT]
    loads_before = pages.requests("/counted")
    captured = await browser.capture(f"{pages.url}/counted", outputs=outputs)
    assert len(captured.contents) == 4
    assert pages.requests("/counted") == loads_before + 1


async def test_html_of_the_request_is_captured_without_a_site(browser: Browser) -> None:
    html = "<title>Given</title><body style='background:#cc0000'>"
    captured = await browser.capture(html=html, context={"viewport": VIEWPORT})
    assert colors(captured) == [(640 * 400, BOX_RED)]
    assert (captured.visit.title, captured.visit.status) == ("Given", None)
