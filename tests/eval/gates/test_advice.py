"""After a line that is missed there is one thing to try, and after a pass none."""

import lines
import pytest
from sample_results import per_pair

from dust_core.declared.records import Verdict
from dust_core.declared.specs.models.gates import METRICS
from dust_eval.gates.advice import advice
from dust_eval.gates.judge import judge
from dust_eval.gates.stage import TaskVerdicts

WORSE = {"quality": per_pair(delta1=0.5)}
MISSED = Verdict(
    task="K-1",
    gate="the-line",
    exp_id=None,
    status="fail",
    metric="delta1",
    op=">=",
    line=1.0,
    unit="fraction",
    value=0.0,
    margin=-1.0,
    interval=None,
    baseline=None,
    reason="0 is below 1",
    beside=(),
)


def tried(*verdicts: Verdict, does: str = "distill", settled: str | None = None) -> list[str]:
    tasks = (TaskVerdicts("K-1", verdicts, settled),)
    return list(advice(tasks, {"K-1": does}, again="dust repro P1 --profile ci"))


@pytest.mark.parametrize(
    ("does", "words"),
    [
        ("distill", "more pairs or epochs"),
        ("ptq", "keep in float the layers"),
        ("evaluate-kq", "keep in float the layers"),
        ("evaluate-pruned", "lower the ratio"),
        ("a new kind of task", "best and worst pairs"),
    ],
)
def test_a_lost_quality_is_mended_by_what_the_task_does(does: str, words: str) -> None:
    verdict = judge(lines.QUALITY, lines.student(**WORSE), lines.teacher())
    (line,) = tried(verdict, does=does)
    assert line.startswith("K-1: try this: ") and words in line


@pytest.mark.parametrize("metric", sorted(name for name, m in METRICS.items() if not m.relative))
def test_every_quantity_has_something_to_try(metric: str) -> None:
    (line,) = tried(MISSED.model_copy(update={"metric": metric}))
    assert "best and worst pairs" not in line  # which says nothing of this quantity


def test_nothing_is_said_after_a_pass_or_of_what_does_not_count() -> None:
    assert tried(judge(lines.QUALITY, lines.student(), lines.teacher())) == []
    assert tried(MISSED, settled="not needed: Q-1 passes") == []


def test_a_result_that_is_not_here_is_to_be_fetched_or_made() -> None:
    for absent in (judge(lines.QUALITY, None), judge(lines.QUALITY, lines.student(), None)):
        (line,) = tried(absent)
        assert line == "K-1: try this: run 'dust repro P1 --profile ci'"
        (tasks, again) = (TaskVerdicts("K-1", (absent,)),), "dust repro P1 --profile small"
        (line,) = advice(tasks, {"K-1": "distill"}, again=again, executed=["K-1"])
        assert line.endswith(f"fetch the result with 'dvc pull --allow-missing', or run '{again}'")


def test_the_same_advice_is_given_once_with_every_task_that_it_is_for() -> None:
    other = MISSED.model_copy(update={"task": "K-2"})
    tasks = (TaskVerdicts("K-1", (MISSED, MISSED)), TaskVerdicts("K-2", (other,)))
    (line,) = advice(tasks, {"K-1": "distill", "K-2": "distill"}, again="dust repro P1")
    assert line.startswith("K-1, K-2: try this: train the teacher longer")


def test_a_latency_that_straddles_its_line_is_measured_again() -> None:
    straddling = {"status": "inconclusive", "metric": "t_pair_p50_down", "unit": "%"}
    interval = {"low": 40, "high": 60, "confidence": 0.95, "resamples": 9, "seed": 1, "samples": 9}
    reason = "the interval of the reduction straddles the line of 50 %"
    verdict = Verdict.model_validate(
        MISSED.model_dump() | straddling | {"interval": interval, "reason": reason}
    )
    (line,) = tried(verdict)
    assert "measure again while nothing else runs" in line
