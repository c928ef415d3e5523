"""What single charts of the report show."""

import re

from dust_eval.report.charts import latency
from dust_eval.report.front import VARIANT, Network, latency_front
from dust_eval.report.series import Turns


def test_a_slow_task_does_not_set_the_scale_of_another() -> None:
    slow = Turns("P-1", (("P_r010_run1, fp32", "candidate", (575.0, 640.0, 890.0)),))
    fast = Turns("KQ-3", (("KQ_INT8_run4, int8", "candidate", (14.0, 15.0, 17.0)),))
    ends = [max(axis_numbers(latency(timed))) for timed in (slow, fast)]
    assert ends[0] > 500 and 10 <= ends[1] < 30


def axis_numbers(svg: str) -> list[float]:
    """The numbers along the axes of a chart."""
    return [float(text) for text in re.findall(r"<text[^>]*>([\d.]+)</text>", svg)]


def test_names_keep_off_the_dashed_line_and_every_mark_is_explained() -> None:
    networks = [
        Network(name, family, delta1, cost, None)
        for name, family, delta1, cost in (
            ("KQ_INT8", "quantized", 0.60, 20.0),
            ("K_T5B05", "distilled", 0.66, 60.0),
            ("lost", VARIANT, 0.43, 50.0),
        )
    ]
    drawn = latency_front(networks)
    for legend in (
        "no network is better in both",
        "below the axis; the lowest has its delta1",
        "quantized",
        "distilled",
        VARIANT,
    ):
        assert f">{legend}</text>" in drawn
    piece = re.search(r'd="M ([\d.]+) ([\d.]+) \nL ([\d.]+) ([\d.]+) \n"[^>]*dasharray', drawn)
    name = re.search(r'x="([\d.]+)" y="([\d.]+)"[^>]*>KQ_INT8<', drawn)
    assert piece and name
    (x, y, to_x, to_y), (left, bottom) = map(float, piece.groups()), map(float, name.groups())
    for step in range(101):
        at, height = x + step / 100 * (to_x - x), y + step / 100 * (to_y - y)
        assert not (left < at < left + 28 and bottom - 9 < height < bottom), "it is crossed out"
