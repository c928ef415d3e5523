"""What the page shows of an INT8 network: its pairs, its pictures, its layers, its scene."""

import re
from html import unescape
from pathlib import Path

import numpy as np
import pytest
import sample_report as made
import sample_results as sample
from declared_specs import result_file
from PIL import Image

from dust_core.cli import main
from dust_core.declared.records import read_result_file
from dust_core.declared.specs import resolve
from dust_eval.report import commands
from dust_eval.report.content import Content, gather
from dust_eval.report.eight_bits import layers_of
from dust_eval.report.front import front, networks_of
from dust_eval.report.gallery import PairPictures
from dust_eval.report.illustrations import illustrate, without
from dust_eval.report.page import render

LIMIT = 10_000_000  # bytes of a page


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "artifacts" / "small"
    made.write_results(folder)
    return folder


@pytest.fixture
def content(folder: Path) -> Content:
    return gather(made.SET, "small", folder)


def opened(address: str) -> np.ndarray:
    import base64
    import io

    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))))


def test_the_pairs_to_look_at_are_the_best_the_worst_and_the_greatest_loss(
    content: Content,
) -> None:
    view = content.eight_bits
    assert view is not None and view.task == "KQ-3"
    assert (view.int8.exp_id, view.fp32.exp_id) == (made.INT8, made.FP32)
    assert view.differences[7] == pytest.approx(-20) and view.worse == 20
    # delta1 rises from pair to pair, and pair 7 loses a fifth of all depths.
    assert view.chosen() == {
        19: "best pair",
        7: "worst pair",
        18: "second best pair",
        0: "second worst pair",
    }


def test_pictures_show_where_int8_leaves_the_bound() -> None:
    first: PairPictures = made.drawn_pairs()[0]
    assert opened(first.fp32).shape == opened(first.int8).shape == (made.SIDE, made.SIDE, 3)
    assert opened(first.fp32).tolist() != opened(first.int8).tolist()
    known = made.SIDE**2 - 16
    assert first.lost == pytest.approx(100 * 10 * made.SIDE / known), "the left third, 1.4 times"
    assert first.won == 0
    red = opened(first.changed).astype(int)
    assert (red[..., 0] - red[..., 1])[:, :8].mean() > 100
    assert abs((red[..., 0] - red[..., 1])[:, 14:]).mean() < 10


def test_the_page_has_a_slider_and_two_depths_for_each_pair(content: Content) -> None:
    html = render(content, made.illustrations())
    assert html.count('<input type="range" min="0" max="100"') == 2
    assert html.count('alt="Depth of view 1: student, INT8"') == 2
    assert html.count("<span>student, FP32</span><span>student, INT8</span>") == 2
    text = " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())
    assert (
        "Worst pair pair 7, level/a; delta1 of both views: student, FP32 0.9; student, INT8 0.8"
    ) in text
    assert (
        "−1.95 points of delta1 by INT8: student, INT8 0.9; student, FP32 0.92; "
        "worse in 20 of 20 pairs, by 20 points at most"
    ) in text
    assert 'aria-label="delta1 that INT8 loses, pair by pair"' in html
    assert "enc_blocks.0.mlp.fc2" in html


def test_the_scene_is_in_a_frame_that_may_load_nothing(content: Content) -> None:
    html = render(content, made.illustrations())
    frame = re.findall(r'<iframe [^>]*sandbox="allow-scripts" srcdoc="([^"]*)"', html)
    assert [unescape(text) for text in frame] == [made.made_scene()]
    policies = re.findall(r"script-src ([^\"&]*(?:&#39;[^\"&]*)*)", html.partition("<iframe")[0])
    own = re.findall(r"script-src ('sha256-[^']+')", made.made_scene())[0]
    assert own in unescape(policies[0]), "a frame obeys the policy of the page, too"


def test_a_scene_has_its_time_beside_that_of_encoding_every_pair(content: Content) -> None:
    rows = {(row.task, row.exp_id): row for row in content.scenes.rows}
    row = rows["KQ-3", made.INT8]
    assert (row.seconds, row.points) == (14.5, 1234)
    assert row.every_pair_s == pytest.approx(20 * 0.040, rel=0.01), "20 pairs of 40 ms"


def test_layers_are_of_quantizing_alone(folder: Path) -> None:
    view = layers_of("Q-1", read_result_file(folder / result_file("Q-1")))
    assert view is not None and view.layers[0].name == "enc_blocks.0.mlp.fc2" and view.of == 2
    pruned = sample.result_file(extra={"sensitivity": [{"kind": "ffn"}]})
    assert layers_of("P-1", pruned) is None
    assert layers_of("Q-1", None) is None


def test_the_front_has_what_no_other_network_beats() -> None:
    points = [(100, 0.95), (20, 0.90), (50, 0.92), (60, 0.91), (20, 0.80), (100, 0.93)]
    assert front(points) == [(20, 0.90), (50, 0.92), (100, 0.95)]


def test_latencies_on_the_front_are_shares_of_the_teachers(content: Content) -> None:
    networks = {network.name: network for network in networks_of(content.comparisons, ())}
    assert networks["P0_FP32"].latency == 100 and networks["P0_FP32"].family == "teacher"
    assert networks["KQ_INT8"].latency == pytest.approx(20, abs=0.1)
    assert networks["KQ_INT8"].family == "distilled, then quantized"


def test_networks_that_are_absent_or_others_give_a_reason(content: Content, folder: Path) -> None:
    task = resolve(made.SET, "KQ-3", "small")
    absent = illustrate(task, content.eight_bits, folder)
    assert not absent.pairs and not absent.scene
    assert f"student_fp32_best.pth of {made.FP32} is not here" in absent.no_pairs
    (folder / "student_fp32_best.pth").write_bytes(b"another")
    other = illustrate(task, content.eight_bits, folder)
    assert "is not the file that was measured" in other.no_pairs
    assert "is not the file that was measured" in render(content, other)
    assert illustrate(task, content.eight_bits, folder, made.illustrations()) != absent


def test_pictures_of_the_same_networks_are_not_drawn_again(content: Content, folder: Path) -> None:
    task = resolve(made.SET, "KQ-3", "small")
    from dataclasses import replace

    digest = str(task.data.workload.sha256)
    before = replace(made.illustrations(), key=("5" * 64, "6" * 64, digest))
    assert illustrate(task, content.eight_bits, folder, before) is before


def test_a_page_over_ten_megabytes_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.MOST_BYTES == LIMIT
    with pytest.raises(SystemExit) as ending:
        main(["report", "--specs", str(made.SPECS)])
    assert not ending.value.code
    page = folder / "report" / "index.html"
    assert page.stat().st_size < LIMIT / 10, "without pictures it is small"
    before = page.read_bytes()
    monkeypatch.setattr(commands, "MOST_BYTES", 1000)
    with pytest.raises(SystemExit) as ending:
        main(["report", "--specs", str(made.SPECS)])
    assert ending.value.code == 1
    assert "--no-pictures" in capsys.readouterr().err
    assert page.read_bytes() == before


def test_a_full_page_is_under_ten_megabytes(content: Content) -> None:
    """As many points as the page may have, and pictures as large as it has them."""
    from dust_eval.report.gallery import address
    from dust_eval.report.illustrations import MOST_POINTS

    noise = np.random.default_rng(0).integers(0, 255, (512, 512, 3), np.uint8)
    pictures = 5 * (2 * len(address(noise, 448)) + 4 * len(address(noise, 224)))
    bytes_of_a_point = 4 / 3 * (12 + 3 + 4)  # position, colour, confidence in base64
    page = len(render(content, without("none")).encode())
    assert page + pictures + MOST_POINTS * bytes_of_a_point < LIMIT
