"""What `dust gate` shows, to people and to programs."""

import io

import pytest
import sample_results as sample
from rich.console import Console  # noqa: TID251

from dust_core.declared.records import Result
from dust_core.declared.specs.models import Gate
from dust_eval.gates import GateLine, Resampling, TaskVerdicts, judge
from dust_eval.gates.render import StageReport, explanations, report_json, report_table

PLAN = Resampling(resamples=1000, confidence=0.95, seed=42, together=10)


def line(
    name: str, metric: str, op: str, value: float, unit: str, baseline: str | None
) -> GateLine:
    gate = Gate(title="a line", metric=metric, op=op, value=value, unit=unit, baseline=baseline)
    return GateLine("Q-4", "1" * 64, name, gate, PLAN)


def report(candidate: Result | None, quotable: bool = True) -> StageReport:
    quality = sample.per_pair(delta1=0.96, absrel=0.05)
    baseline = sample.result(
        sample.TEACHER, role="baseline", quality=quality, artifacts={"teacher.pth": "4" * 64}
    )
    verdicts = tuple(
        judge(asked, candidate, baseline)
        for asked in (
            line("quality", "delta1_drop", "<=", 1.0, "%", "P0-2"),
            line("latency", "t_pair_p50_down", ">=", 50.0, "%", "P0-2"),
            line("finite", "nan_count", "==", 0.0, "count", None),
        )
    )
    return StageReport("P2", "small", quotable, (TaskVerdicts("Q-4", verdicts),))


MISSED = report(sample.result("Q_PTQ_keepLN_run1", latency=sample.turns(90.0, 200.0)))


def shown(verdicts: StageReport) -> str:
    console = Console(width=120, file=io.StringIO(), record=True)
    console.print(report_table(verdicts))
    return "\n".join(row.rstrip() for row in console.export_text().splitlines())


SAID = (
    "decided by its value on the whole workload; for other pictures 2 places make it 50 % sure "
    "at most"
)
TABLE = """\
P2, profile small
┏━━━━━━┳━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━┳━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━┓
┃ task ┃ experiment        ┃ line                             ┃  value ┃    margin ┃    interval (level) ┃ verdict ┃
┡━━━━━━╇━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━╇━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━┩
│ Q-4  │ Q_PTQ_keepLN_run1 │ quality: delta1_drop <= 1 %      │ 1.04 % │ -0.0417 % │ [1.04, 1.04] (50 %) │ fail    │
│      │                   │   chamfer 0.08 -> 0.08           │    0 % │           │       [0, 0] (50 %) │         │
│      │                   │   absrel 0.05 -> 0.06            │   20 % │           │     [20, 20] (50 %) │         │
│      │                   │   rmse 0.31 -> 0.31              │    0 % │           │       [0, 0] (50 %) │         │
│ Q-4  │ Q_PTQ_keepLN_run1 │ latency: t_pair_p50_down >= 50 % │   55 % │      +5 % │     [55, 55] (95 %) │ pass    │
│      │                   │   t_pair_p50_ms 200 -> 90        │   55 % │           │     [55, 55] (95 %) │         │
│ Q-4  │ Q_PTQ_keepLN_run1 │ finite: nan_count == 0           │      0 │        +0 │                   - │ pass    │
└──────┴───────────────────┴──────────────────────────────────┴────────┴───────────┴─────────────────────┴─────────┘"""  # noqa: E501


def test_the_table_shows_value_margin_interval_and_what_nothing_binds() -> None:
    assert shown(MISSED) == TABLE


def test_what_is_not_a_plain_pass_is_explained_below() -> None:
    assert list(explanations(MISSED.tasks)) == [
        "Q-4 Q_PTQ_keepLN_run1, quality: fail: 1.042 % is above 1 %",
        f"Q-4 Q_PTQ_keepLN_run1, quality: {SAID}",
    ]
    assert list(explanations([TaskVerdicts("Q-2", (), "not needed: Q-1 passes")])) == [
        "Q-2: not needed: Q-1 passes"
    ]


def test_figures_that_may_not_be_quoted_say_so() -> None:
    nothing = report(None, quotable=False)
    assert shown(nothing).startswith("P2, profile small (not to be quoted)\n")
    assert list(explanations(nothing.tasks)) == ["Q-4: no result here, which counts as a fail"]
    assert report_json(nothing)["tasks"][0]["status"] == "fail"


def test_json_says_the_same_with_every_digit() -> None:
    written = report_json(MISSED)
    verdicts = written["tasks"][0].pop("verdicts")
    assert written == {
        "apiVersion": "dust/v1",
        "kind": "GateReport",
        "stage": "P2",
        "profile": "small",
        "quotable": True,
        "passed": False,
        "waivers": [],
        "hypotheses": [],
        "advice": [],
        "tasks": [{"task": "Q-4", "status": "fail", "settled": None}],
    }
    quality = verdicts[0]
    assert [effect.pop("metric") for effect in quality.pop("beside")] == [
        "chamfer",
        "absrel",
        "rmse",
    ]
    interval = quality.pop("interval")
    ends = (interval.pop("low"), interval.pop("high"))
    assert ends == pytest.approx((quality["value"], quality["value"]))
    assert interval == {
        "confidence": 0.5,
        "resamples": 1000,
        "seed": 42,
        "samples": 20,
        "method": "BCa",
        "groups": 2,
    }
    assert quality == {
        "task": "Q-4",
        "gate": "quality",
        "exp_id": "Q_PTQ_keepLN_run1",
        "status": "fail",
        "metric": "delta1_drop",
        "op": "<=",
        "line": 1.0,
        "unit": "%",
        "value": pytest.approx(100 / 96),
        "margin": pytest.approx(1 - 100 / 96),
        "baseline": sample.TEACHER,
        "reason": "1.042 % is above 1 %",
        "other_pictures": SAID,
    }


def test_a_stage_passes_if_all_its_tasks_do_and_it_has_some() -> None:
    assert not MISSED.passed
    assert not StageReport("P2", "small", True, ()).passed
    settled = tuple(
        TaskVerdicts(task.task, task.verdicts, "Q-2 took over") for task in MISSED.tasks
    )
    assert StageReport("P2", "small", True, settled).passed
