import datetime as dt
from pathlib import Path

import sample_results as sample

from dust_core.declared.records import Verdict, overall, sheet_csv, sheet_markdown, sheet_rows


def verdict(status: str, reason: str | None = None, task: str = "K-1") -> Verdict:
    return Verdict(
        task=task, gate="quality", exp_id=sample.STUDENT, status=status, metric="delta1_drop",
        op="<=", line=1.0, unit="%", value=0.5, margin=0.5, interval=None, baseline=sample.TEACHER,
        reason=reason, beside=(),
    )  # fmt: skip


FILES = {
    Path("artifacts/small/k2.json"): sample.result_file(
        sample.result(
            "K_T5B05_run1", task="K-2", finished=sample.MOMENT + dt.timedelta(days=1),
            figures={"gpu_hours": None, "notes": "beta | gamma"}, artifacts={},
        ),
        verdicts=(verdict("fail", "2.1 % is above 1 %", "K-2"), verdict("pass", task="K-2")),
    ),
    Path("artifacts/small/distill_log.json"): sample.result_file(
        sample.result(artifacts={"student.pth": "5" * 64}),
        sample.result(sample.TEACHER, role="baseline"),
        verdicts=(verdict("pass"),),
    ),
}  # fmt: skip

MARKDOWN = """\
| date | task | input | output | verdict | GPU hours | notes |
|---|---|---|---|---|---:|---|
| 2026-11-23 | K-1 | teacher_fp32.pth | student.pth, distill_log.json | pass | 3.50 | - |
| 2026-11-24 | K-2 | teacher_fp32.pth | k2.json | fail | - | beta \\| gamma; 2.1 % is above 1 % |
"""

CSV = """\
date,task,input,output,verdict,GPU hours,notes
2026-11-24,K-2,teacher_fp32.pth,k2.json,fail,-,beta | gamma; 2.1 % is above 1 %
"""


def test_the_sheet_lists_executions_as_they_ended() -> None:
    assert sheet_markdown(sheet_rows(FILES)) == MARKDOWN


def test_the_sheet_of_a_day_holds_that_day() -> None:
    assert sheet_csv(sheet_rows(FILES, day=dt.date(2026, 11, 24))) == CSV
    assert sheet_rows(FILES, day=dt.date(2026, 11, 25)) == []


def test_the_worst_verdict_stands_for_all() -> None:
    passed, unsure, failed = verdict("pass"), verdict("inconclusive", "?"), verdict("fail", "no")
    assert overall([passed, unsure, failed]) == "fail"
    assert overall([unsure, passed]) == "inconclusive"
    assert overall([passed]) == "pass"
    assert overall([]) is None
