"""The page of a scene: what is in it, and what a user does with it."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import chromium
import numpy as np
import pytest

from dust_core.pairs.framing import Mode, place
from dust_core.pairs.pictures.photographs import Photograph
from dust_eval.scene import page as page_module
from dust_eval.scene.page import View, render

SIDE, FOCAL, LEAST = 32, 40.0, 3.0


def made_views() -> list[View]:
    """A slope seen by two cameras; confidence grows to the right, and a corner is no point."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    views = []
    for number, label in enumerate("AB"):
        depth = 2 + number + rows / SIDE
        points = np.stack([columns * depth / FOCAL, rows * depth / FOCAL, depth], -1)
        pose = np.eye(4)
        pose[0, 3] = 0.5 * number
        confidences = np.tile(1.1 + 4 * np.arange(SIDE) / SIDE, (SIDE, 1))
        confidences[:4, :4] = 1
        picture = rng.integers(0, 255, (SIDE, SIDE, 3), np.uint8)
        placement = place(SIDE, SIDE, SIDE, Mode.CROP)
        views.append(
            View(
                label=label,
                photograph=Photograph(f"{label}.jpg", (SIDE, SIDE), placement, picture),
                focal=FOCAL,
                pose=pose,
                points=points + pose[:3, 3],
                confidences=confidences,
            )
        )
    return views


class Elements(HTMLParser):
    """The elements of a page, with their attributes and the texts before the next tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.texts.append("")
        self.inside = True

    def handle_endtag(self, tag: str) -> None:
        self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.texts[-1] += data

    def all(self, tag: str) -> list[tuple[dict[str, str | None], str]]:
        named = zip(self.elements, self.texts, strict=True)
        return [(attributes, text) for (name, attributes), text in named if name == tag]


def content_of(text: str) -> dict[str, Any]:
    scripts = Elements(text).all("script")
    content: dict[str, Any] = json.loads(scripts[0][1])
    return content


def floats(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f4")


def test_a_page_holds_every_point_of_every_view() -> None:
    views = made_views()
    content = content_of(render("Scene", views, LEAST, []))
    assert content["least"] == LEAST
    for view, stored in zip(views, content["views"], strict=True):
        kept = view.confidences > 1
        assert kept.sum() == SIDE * SIDE - 16
        np.testing.assert_allclose(floats(stored["points"]).reshape(-1, 3), view.points[kept])
        np.testing.assert_allclose(floats(stored["confidences"]), view.confidences[kept])
        colours = np.frombuffer(base64.b64decode(stored["colours"]), np.uint8)
        assert (colours.reshape(-1, 3) == view.photograph.square[kept]).all()
        np.testing.assert_allclose(stored["pose"], np.asarray(view.pose).ravel())
        assert stored["half"] == [SIDE / 2 / FOCAL] * 2
    low, high = content["depths"]  # each depth in its own camera
    assert 1.5 <= low < 1.53 and 3.45 < high <= 3.5
    assert content["confidences"] == pytest.approx([1.1, 1.1 + 4 * (SIDE - 1) / SIDE])


def test_a_page_has_a_share_of_too_many_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module, "_MOST_POINTS", 500)
    first, second = (render("Scene", made_views(), LEAST, []) for _ in range(2))
    counts = [len(floats(view["confidences"])) for view in content_of(first)["views"]]
    assert sum(counts) == pytest.approx(500, abs=60) and min(counts) > 200
    assert first == second, "the same scene gives the same page"


def test_names_are_text_and_nothing_else() -> None:
    names = ["</script><script>alert(1)</script>.jpg", '"><img src=x onerror=alert(1)>@CONTENT@']
    views = [
        replace(view, label=name, photograph=replace(view.photograph, name=name))
        for view, name in zip(made_views(), names, strict=True)
    ]
    usual = Elements(render("Scene", made_views(), LEAST, [("Pairs", "2")]))
    text = render(names[0], views, LEAST, [(names[1], names[0])])
    odd = Elements(text)
    assert [name for name, _ in odd.elements] == [name for name, _ in usual.elements]
    assert [sorted(given) for _, given in odd.elements] == [
        sorted(given) for _, given in usual.elements
    ]
    assert [attributes for attributes, _ in odd.all("h1")] == [{}]
    assert odd.all("title")[0][1] == odd.all("h1")[0][1].strip() == names[0]
    assert [view["label"] for view in content_of(text)["views"]] == names
    assert text.count("@CONTENT@") == 4, "label and name of a view, its data, a figure; as they are"


def test_a_page_says_what_not_to_trust() -> None:
    assert Elements(render("Scene", made_views(), LEAST, [])).all("p")[-1][0]["id"] == "count"
    text = render("Scene", made_views(), LEAST, [], ["few pixels reach <3>"])
    warned = [words for given, words in Elements(text).all("p") if given.get("class") == "warning"]
    assert warned == ["Few pixels reach <3>."]


def test_a_page_may_load_nothing_and_run_only_its_script() -> None:
    text = render("Scene", made_views(), LEAST, [])
    elements = Elements(text)
    policy = next(
        str(attributes["content"])
        for attributes, _ in elements.all("meta")
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    script = elements.all("script")[1][1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert policy.endswith(f"script-src 'sha256-{digest}'")
    addresses = [str(given["src"]) for _, given in elements.elements if "src" in given]
    assert len(addresses) == 2 and all(a.startswith("data:image/jpeg") for a in addresses)
    assert "http:" not in text and "https:" not in text


def test_the_script_finds_its_elements() -> None:
    views = made_views()
    views[1] = replace(views[1], pose=None)
    elements = Elements(render("Scene", views, LEAST, []))
    present = {str(given["id"]) for _, given in elements.elements if "id" in given}
    named = set(re.findall(r'byId\("([a-z]+)"\)', elements.all("script")[1][1]))
    assert len(named) > 8 and named <= present
    for limit in ("near", "far", "confidence"):
        assert {limit, f"{limit}-value"} <= present
    assert {"view-0", "view-1", "look-0"} <= present
    assert "look-1" not in present, "no camera, nothing to look through"


@pytest.mark.skipif(chromium.PROGRAM is None, reason="Chromium is not installed")
def test_sliders_hide_points_and_pointers_move_the_camera(tmp_path: Path) -> None:
    views = made_views()
    (tmp_path / "index.html").write_text(render("Scene", views, LEAST, []), encoding="utf-8")
    kept = [view.confidences > 1 for view in views]
    depths = np.concatenate([v.points[k][:, 2] for v, k in zip(views, kept, strict=True)])
    sure = np.concatenate([v.confidences[k] for v, k in zip(views, kept, strict=True)])
    first = np.arange(len(depths)) < kept[0].sum()
    with chromium.page(tmp_path / "profile") as page:
        address = f"file://{tmp_path / 'index.html'}"
        page.open(address)

        def shown() -> int:
            return int(page.value("byId('count').dataset.shown"))

        def move(name: str, position: float) -> float:
            page.value(f"byId('{name}').value = {position}")
            page.value(f"byId('{name}').dispatchEvent(new Event('input'))")
            return float(page.value(f"limits.{name}"))

        assert shown() == (sure >= LEAST).sum()
        far = move("far", 500)
        assert 2 < far < 3 and shown() == ((sure >= LEAST) & (depths <= far)).sum()
        move("far", 1000)
        least = move("confidence", 200)
        assert 1.1 < least < 2 and shown() == (sure.astype("f4") >= least).sum()
        page.value("byId('view-0').click()")
        assert shown() == ((sure.astype("f4") >= least) & ~first).sum()
        page.value("byId('view-0').click()")

        # A point is drawn where the colours of the picture are not the background's.
        pixels = """new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => {
            const all = new Uint8Array(4 * canvas.width * canvas.height);
            gl.readPixels(0, 0, canvas.width, canvas.height, gl.RGBA, gl.UNSIGNED_BYTE, all);
            let count = 0;
            for (let i = 0; i < all.length; i += 4) count += all[i] !== all[0];
            done(count); })))"""
        with_points = page.value(pixels)
        page.value("byId('none').click()")
        assert with_points > 1000 and page.value(pixels) == 0
        page.value("byId('all').click()")

        state = "[eye.yaw, eye.pitch, eye.distance, ...eye.target]"
        yaw, pitch, distance, *target = page.value(state)
        page.drag((300, 300), (360, 340))
        assert page.value(state)[:2] == pytest.approx([yaw + 0.36, pitch + 0.24])
        page.drag((300, 300), (360, 340), modifiers=8)
        assert page.value(state)[3:] != pytest.approx(target)
        # A double click takes the point below it as the centre.
        page.value("lookBehind()")
        place = page.value("""(() => {
            const i = views[0].depths.findIndex((_, i) => isShown(views[0], i));
            const { rows } = projection(canvas.clientWidth, canvas.clientHeight);
            const [x, y, , w] = projected(rows, views[0].points.subarray(3 * i, 3 * i + 3));
            const clientX = (1 + x / w) * canvas.clientWidth / 2;
            const clientY = (1 - y / w) * canvas.clientHeight / 2;
            canvas.dispatchEvent(new MouseEvent("dblclick", { clientX, clientY }));
            return [...eye.target]; })()""")
        points = np.concatenate([view.points[k] for view, k in zip(views, kept, strict=True)])
        assert np.linalg.norm(points - place, axis=1).min() < 1e-5
        page.value("lookBehind()")
        for kind, places in (
            ("Start", [(300, 300), (400, 300)]),
            ("Move", [(300, 300), (500, 300)]),
            ("End", []),
        ):
            page.touch(kind, *places)
        assert page.value(state)[2] == pytest.approx(distance / 2, rel=0.01)
        page.value("byId('start').click()")
        assert page.value(state) == pytest.approx([yaw, pitch, distance, *target])

        page.open(f"{address}?2#far=2&look=2&views=2&colours=depth")
        assert shown() == ((sure >= LEAST) & (depths <= 2) & ~first).sum()
        # Through its own camera, a point is where its pixel is.
        seen = page.value(
            "projected(projection(500, 500).rows, views[1].points.subarray(0, 3)).map(Number)"
        )
        expected = np.array([4 + 0.5 - SIDE / 2, SIDE / 2 - 0.5]) / (SIDE / 2) / 1.05
        assert np.array(seen[:2]) / seen[3] == pytest.approx(expected, abs=1e-4)
        assert all(url.startswith(("file:", "data:")) for url in page.requests)
        assert not page.errors
