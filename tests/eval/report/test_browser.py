"""The page in Chromium: what a reader sees and does, without an error and without a network."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import chromium
import pytest
import sample_report as made
from PIL import Image

from dust_eval.report.build import Source
from dust_eval.report.content import gather
from dust_eval.report.page import render
from dust_eval.report.runs import compare_runs
from dust_eval.report.serve import HOST, Site, open_server

pytestmark = pytest.mark.skipif(chromium.PROGRAM is None, reason="Chromium is not installed")


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page with every section, compared with another run."""
    folder = tmp_path_factory.mktemp("project") / "artifacts" / "small"
    made.write_results(folder)
    content = gather(made.SET, "small", folder)
    compared = compare_runs(content, content, "main")
    return render(content, made.illustrations(), compared=compared)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Page]:
    with chromium.page(tmp_path_factory.mktemp("profile")) as page:
        page.command("Log.enable")
        yield page


@pytest.fixture
def page(html: str, tmp_path: Path, browser: chromium.Page) -> chromium.Page:
    """The page, opened anew in the one browser of this file."""
    path = tmp_path / "index.html"
    path.write_text(html, encoding="utf-8")
    browser.requests.clear()
    browser.errors.clear()
    resize(browser, 1000)
    browser.open(f"file://{path}")
    return browser


def resize(page: chromium.Page, width: int) -> None:
    page.command(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=800,
        deviceScaleFactor=1,
        mobile=width < 600,
    )


def test_it_asks_for_nothing_and_has_no_error(page: chromium.Page, tmp_path: Path) -> None:
    assert page.value("document.querySelectorAll('section').length") > 10
    assert page.value("document.images.length") == 12
    assert page.value("[...document.images].every(image => image.naturalWidth > 0)")
    requests = [address for address in page.requests if not address.startswith("data:")]
    assert requests == [f"file://{tmp_path / 'index.html'}"]
    assert page.errors == []
    page.value("console.error('this test sees errors')")
    page.value("fetch('https://example.com/').catch(() => 0)")
    assert page.value("1") == 1
    assert len(page.errors) >= 1


def test_keys_and_a_pointer_move_the_slider(page: chromium.Page) -> None:
    edge = """getComputedStyle(document.querySelector('.slider img + img')).clipPath"""
    assert "50%" in page.value(edge)
    page.value("document.querySelector('.slider input').focus()")
    for _ in range(3):
        for kind in ("keyDown", "keyUp"):
            key = {"key": "ArrowRight", "code": "ArrowRight", "windowsVirtualKeyCode": 39}
            page.command("Input.dispatchKeyEvent", type=kind, **key)
    assert "53%" in page.value(edge)
    left, top, width = page.value("""(() => {
        const slider = document.querySelector('.slider');
        slider.scrollIntoView();
        const { left, top, width } = slider.getBoundingClientRect();
        return [left, top, width]; })()""")
    start = (int(left + 0.53 * width), int(top + 100))
    page.drag(start, (int(left + 0.2 * width), int(top + 100)))
    moved = int(page.value("document.querySelector('.slider input').value"))
    assert 12 <= moved <= 28
    assert f"{moved}%" in page.value(edge)


@pytest.mark.parametrize("width", [400, 1400])
def test_nothing_is_wider_than_the_window(page: chromium.Page, width: int) -> None:
    resize(page, width)
    page.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert page.value("document.documentElement.scrollWidth") <= width
    beyond = page.value("""[...document.querySelectorAll('body *')].filter(element => {
        for (let own = element; own; own = own.parentElement)
          if (own.matches('.scroll, .wide, .slider, svg')) return false;
        const { right, width } = element.getBoundingClientRect();
        return width > 0 && right > document.documentElement.clientWidth + 1;
      }).map(element => element.outerHTML.slice(0, 80))""")
    assert beyond == []


def test_a_chart_of_latency_fits_a_phone(page: chromium.Page) -> None:
    resize(page, 400)
    sides = page.value("""[...document.querySelectorAll('#latency .beside svg')].map(chart => {
        const { left, right } = chart.getBoundingClientRect(); return [left, right]; })""")
    assert sides and all(left >= 0 and 300 < right <= 400 for left, right in sides)


def test_charts_and_text_are_readable_in_the_dark(page: chromium.Page) -> None:
    light = """(() => {
        const parts = colour => colour.match(/[0-9.]+/g).slice(0, 3).map(Number);
        const shade = colour => parts(colour).reduce((sum, part) => sum + part);
        const text = document.querySelector('#front svg text');
        return [document.body, text].map((element, number) =>
          shade(getComputedStyle(element)[number ? 'fill' : 'backgroundColor'])); })()"""
    for scheme, dark in (("light", False), ("dark", True)):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        page.command("Emulation.setEmulatedMedia", features=features)
        paper, letters = page.value(light)
        assert (paper < 150 and letters > 500) if dark else (paper > 700 and letters < 150)


def test_the_scene_is_drawn_in_its_frame(page: chromium.Page) -> None:
    """Points are as grey as the picture; what is behind them is the viewer's blue."""
    left, top, width, height = page.value("""(() => {
        const frame = document.querySelector('iframe');
        frame.scrollIntoView();
        const { left, top, width, height } = frame.getBoundingClientRect();
        return [left + 2, top + 2, width / 2, Math.min(height, 700) - 4]; })()""")
    clip = {"x": left, "y": top, "width": width, "height": height, "scale": 1}
    seen: set[tuple[int, int, int]] = set()
    for _ in range(100):  # the frame draws in its own time
        offset = page.value("window.scrollY")
        taken = page.command("Page.captureScreenshot", clip=clip | {"y": top + offset})
        picture = Image.open(io.BytesIO(base64.b64decode(taken["data"]))).convert("RGB")
        seen = {colour for _, colour in picture.getcolors(1 << 24)}
        if {(90, 90, 90), (66, 71, 82)} <= seen:
            return
    pytest.fail(f"no point and no background among {len(seen)} colours")


def test_a_served_page_loads_anew_after_a_change(browser: chromium.Page, tmp_path: Path) -> None:
    folder = tmp_path / "artifacts" / "small"
    made.write_results(folder)
    site = Site(Source(made.SPECS, folder.parent, "small", pictures=False), print)
    with open_server(site, 0) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        browser.open(f"http://{HOST}:{server.server_address[1]}/")
        first = browser.value("document.documentElement.dataset.stamp")
        made.write_results(folder, int8_ms=80.0)
        assert changed(browser, "document.documentElement.dataset.stamp", first)
        assert "80 ms a pair" in browser.value("document.body.innerText")
        server.shutdown()
        thread.join()
    # The page stays, and says that nobody answers.
    assert changed(browser, "getComputedStyle(document.querySelector('.lost')).display", "none")


def changed(page: chromium.Page, expression: str, value: str) -> bool:
    """Whether the value of an expression becomes another one, within ten seconds or so."""
    for _ in range(100):
        try:
            page.value("new Promise(done => setTimeout(done, 100))")
            if page.value(expression) != value:
                return True
        except AssertionError:  # the page is being loaded anew
            continue
    return False


def test_it_prints(page: chromium.Page) -> None:
    printed = page.command("Page.printToPDF", printBackground=True)
    assert len(printed["data"]) > 50_000
