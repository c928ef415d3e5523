"""`dust report`: one page that holds what the result files hold, and needs no network."""

import base64
import hashlib
import re
import shutil
from collections import Counter
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import sample_results as sample
from declared_specs import exp_id, result_file

from dust_core.cli import main
from dust_core.declared.records import Interval, Result, Verdict, write_result_file
from dust_core.declared.specs import load_specs, resolve
from dust_eval.report.content import gather
from dust_eval.report.page import figure, quantity, render, strip

SPECS = Path(__file__).parents[3] / "specs"
SET = load_specs(SPECS)
TASKS = {task: resolve(SET, task, "small") for task in ("P0-2", "K-1", "P-1")}
STUDENT, LOG = exp_id("K-1"), result_file("K-1")
VOID = {"meta", "col", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """Tags that are closed, ids, references and the text outside of style."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: Counter[str] = Counter()
        self.links: set[str] = set()
        self.tags: Counter[str] = Counter()
        self.words: list[str] = []
        self.feed(html)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids[str(value)] += 1
            if name in ("href", "src", "xlink:href"):
                self.links.add(str(value))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)


def result(exp_id: str, task: str, **changes: Any) -> Result:
    resolved = TASKS[task]
    proof = {"spec_digest": resolved.digest, "workload_sha256": resolved.workload_digest}
    return sample.result(exp_id, task=task, **proof | changes)


def curve(start: float) -> list[dict[str, float]]:
    return [
        {"epoch": n, "train/total": start / n, "val/loss": start / n + 0.1, "val/delta1": n / 10}
        for n in (1.0, 2.0, 3.0)
    ]


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A profile whose teacher was evaluated twice alike and whose first student is too poor."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "artifacts" / "small"
    of_teacher = {"artifacts": {"teacher_fp32.pth": "4" * 64}, "latency": sample.turns(200.0)}
    counts = {"nan_count": 0.0, "missing_fields": 0.0}
    teacher = result(sample.TEACHER, "P0-2", quantities=counts, baselines={}, **of_teacher)
    again = {"t_pair_p50_ratio": 1.004, "low": 0.99, "high": 1.02, "same_quality": True}
    file = sample.result_file(teacher, extra={"again": again})
    write_result_file(folder / "teacher_eval.json", file)
    student = result(
        STUDENT,
        "K-1",
        quality=sample.per_pair(delta1=0.90),
        latency=sample.turns(100.0, 200.0),
        figures={"notes": "<script>alert(1)</script> & more", "t_scene_s": None},
    )
    beside = result(sample.TEACHER, "K-1", role="baseline", **of_teacher)
    log = sample.result_file(student, beside, extra={"curves": [curve(2.0), curve(1.0)]})
    write_result_file(folder / LOG, log)
    # An earlier run than the specs declare: in the sheet of executions, and nowhere else.
    better = result("K_T3B05_run1", "K-1", quality=sample.per_pair(delta1=0.95))
    write_result_file(folder / "K_T3B05_run1_log.json", sample.result_file(better))
    return folder


def report(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ending:
        main(["report", "--specs", str(SPECS), *arguments])
    code = ending.value.code
    return code if isinstance(code, int) else 0


@pytest.fixture
def html(results: Path) -> str:
    assert report() == 0
    return (results / "report" / "index.html").read_text(encoding="utf-8")


def test_the_page_says_where_it_is_and_how_much_has_run(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report("--out", "elsewhere") == 0
    assert Path("elsewhere/index.html").is_file()
    assert f"elsewhere/index.html: 2 of {len(SET.tasks)} tasks" in capsys.readouterr().out


def test_verdicts_are_those_of_the_specs_as_they_stand(html: str) -> None:
    text = Page(html).text
    assert "1 pass, 1 fail, 0 inconclusive" in text
    assert "delta1_drop ≤ 1 % 5.26 %" in text  # 0.95 -> 0.90
    assert "5.263 % is above 1 %" in text
    absent = len(SET.tasks) - 2
    ablations = sum(task.startswith("ABL-") for task in SET.tasks)
    # Among verdicts, hypotheses and the sheet; ablations have a section of their own.
    assert text.count("not run") == 3 * absent + ablations


def test_a_run_that_the_specs_do_not_declare_is_in_the_sheet_alone(html: str) -> None:
    before, sheet, after = html.partition('<section id="sheet">')
    sheet, _, _ = after.partition("</section>")
    assert "K_T3B05_run1" not in before
    assert "K_T3B05_run1_log.json" in sheet
    assert LOG in sheet


def test_a_quality_line_says_why_its_interval_does_not_decide(html: str) -> None:
    assert (
        "decided by its value on the whole workload; for other pictures 2 places make it 50 % sure "
        "at most"
    ) in Page(html).text


def test_the_candidate_that_saves_most_is_set_against_its_teacher_at_the_top(html: str) -> None:
    text = Page(html).text
    assert f"{STUDENT} against the teacher, both measured by K-1" in text
    assert "50 % of the teacher's median latency saved: 100 ms a pair, teacher 200 ms" in text
    assert "5.26 % worse in delta1 than the teacher: 0.9, teacher 0.95" in text


def test_what_failed_is_at_the_top_with_its_line(html: str) -> None:
    top = Page(html.partition('<section id="pictures">')[0]).text
    for task in SET.tasks:
        assert f"○ {task}" in top or task in ("P0-2", "K-1")
    assert "✓ P0-2" in top and "✗ K-1" in top
    assert "delta1_drop 5.26 %, line ≤ 1 %" in top


def test_every_hypothesis_stands_beside_its_outcome(html: str) -> None:
    text = Page(html).text
    for task in SET.tasks.values():
        assert " ".join(task.hypothesis.split()) in text
    assert "quality the same to the last digit, ratio of the median latencies 1.004" in text


def test_records_are_beside_each_other_with_a_reason_for_every_dash(html: str) -> None:
    table = html.partition('<section id="records">')[2].partition("</section>")[0]
    row = r"<tr[^>]*><td class=\"mono\">(\w+)</td><td[^>]*>[\w-]+</td><td>fp32</td>(.*?)</tr>"
    rows = re.findall(row, table, re.S)
    assert [name for name, _ in rows] == [sample.TEACHER, STUDENT]
    assert '<td class="n muted" title="not measured in this test">–</td>' in rows[1][1]
    text = " ".join(re.sub(r"<[^>]+>", " ", rows[1][1]).split())
    assert f"50 % of {sample.TEACHER} 100 ms" in text, "a latency is a share of one in turn"
    assert '<td class="n muted">14.5</td>' in rows[0][1]


def test_charts_are_drawn_and_say_what_they_show(html: str) -> None:
    page = Page(html)
    labels = set(re.findall(r'<svg role="img" aria-label="([^"]+)"', html))
    assert labels == {
        "delta1 against median latency",
        "delta1 against size of the file",
        "Latency of the networks of K-1, timed in turn",
        "delta1 of every pair",
        "Trainings of P1, training loss",
        "Trainings of P1, validation loss",
        "Trainings of P1, validation delta1",
    }
    assert "K-1, stage 2" in page.text
    for legend in ("no network is better in both", "teacher", "distilled"):
        assert page.text.count(legend) >= 2, "each chart of the front explains its marks"
    assert f"{STUDENT}, fp32" in page.text


def test_the_headline_is_the_last_measurement_of_the_network(results: Path) -> None:
    content = gather(SET, "small", results)
    first = content.headline
    assert first is not None and first.task == "K-1"
    record = first.candidate.model_copy(update={"t_pair_p50_ms": 120.0})
    later = replace(content, comparisons=(first, replace(first, task="K-4", candidate=record)))
    assert later.headline is not None
    assert (later.headline.task, later.headline.saved) == ("K-4", pytest.approx(40.0))


def test_what_is_missing_is_said_on_the_terminal(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report("--no-pictures") == 0
    assert "not here" not in capsys.readouterr().out
    out = "    outs: [{path: artifacts/small/kq_eval.json, md5: abc, size: 1}]\n"
    Path("dvc.lock").write_text(f"schema: '2.0'\nstages:\n  KQ-3:\n{out}")
    assert report() == 0
    said = capsys.readouterr().out
    assert "results that are not here: KQ-3\n" in said
    assert "no pictures and no scene: No result of an INT8 network" in said
    assert "fetch all that is missing with `dvc pull --allow-missing`" in said


def test_the_page_needs_no_network_and_is_well_formed(html: str) -> None:
    page = Page(html)
    assert not page.open
    assert [name for name, count in page.ids.items() if count > 1] == []
    assert all(link.startswith("#") for link in page.links), page.links
    assert page.tags["script"] == 1 and page.tags["link"] == page.tags["img"] == 0
    assert not re.search(r"@import|url\((?!#)", html)
    script = re.findall(r"<script>(.*?)</script>", html, re.S)[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.findall(r'Content-Security-Policy" content="([^"]+)"', html)[0]
    assert unescape(policy) == (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'"
    )
    targets = {link[1:] for link in page.links}
    assert targets <= page.ids.keys()


def test_notes_cannot_run_in_the_page(html: str) -> None:
    assert html.count("<script") == 1
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in html


def test_the_same_results_give_the_same_page(results: Path, html: str) -> None:
    shutil.rmtree(results / "report")
    assert report() == 0
    assert (results / "report" / "index.html").read_text(encoding="utf-8") == html


def test_without_results_the_page_says_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert report() == 0
    said = capsys.readouterr().out
    assert f"0 of {len(SET.tasks)} tasks have results" in said
    assert "run a stage first: dust repro P0 --profile small" in said
    page = Page(Path("artifacts/small/report/index.html").read_text(encoding="utf-8"))
    assert "has no result yet. Run a stage first: dust repro P0 --profile small" in page.text
    for missing in (
        "No result of an INT8 network beside its FP32 network is here",
        "No result of a network beside its teacher is here",
        "No result with the time of a scene is here",
        "No result with a training is here",
        "No result of a pruning is here",
    ):
        assert missing in page.text
    assert {link[1:] for link in page.links} <= page.ids.keys()
    assert report("--profile", "smal") == 2
    assert "did you mean small?" in capsys.readouterr().err


def test_a_clone_without_data_is_told_to_pull(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("artifacts/small").mkdir(parents=True)
    out = "    outs: [{path: artifacts/small/teacher_eval.json, md5: abc, size: 1}]\n"
    Path("dvc.lock").write_text(f"schema: '2.0'\nstages:\n  P0-2:\n{out}")
    assert report() == 0
    assert "fetch them with `dvc pull --allow-missing`" in capsys.readouterr().out
    page = Page(Path("artifacts/small/report/index.html").read_text(encoding="utf-8"))
    assert "has no result here. Fetch the results with dvc pull --allow-missing" in page.text
    assert "↓ P0-2" in page.text


def test_options_that_do_nothing_together_are_refused(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report("--serve", "--out", "elsewhere") == 2
    assert report("--port", "8000") == 2
    error = capsys.readouterr().err
    assert "--serve writes no file" in error and "only --serve opens a port" in error


def test_a_profile_that_may_not_be_quoted_says_so(html: str, results: Path) -> None:
    assert "not to be quoted" not in html
    content = gather(SET, "ci", results)
    assert "not to be quoted" in render(content)


def verdict(value: float, line: float, interval: tuple[float, float] | None) -> Verdict:
    drawn = interval and Interval(
        low=interval[0], high=interval[1], confidence=0.95, resamples=10, seed=1, samples=4
    )
    return Verdict(
        task="K-1", gate="quality_kept", exp_id=None, status="pass", metric="delta1_drop",
        op="<=", line=line, unit="%", value=value, margin=line - value, interval=drawn,
        baseline=None, reason=None, beside=(),
    )  # fmt: skip


def test_a_strip_keeps_the_order_of_its_numbers() -> None:
    at = strip(verdict(-0.5, 1.0, (-2.0, 0.5)))
    assert at is not None
    assert 6 == at["low"] < at["value"] < at["zero"] < at["high"] < at["line"] == 114
    assert at["value"] - at["low"] == pytest.approx(3 * (at["zero"] - at["value"]), abs=0.2)
    alone = strip(verdict(0.0, 10.0, None))
    assert alone is not None
    assert alone["zero"] == alone["value"] == alone["low"] == alone["high"] == 6


def test_numbers_are_typeset() -> None:
    assert figure(None) == "–"
    assert figure(-0.12345) == "−0.123"
    assert figure(12345.6) == "12,346"
    assert quantity(-1.5, "%") == "−1.5 %"
    assert quantity(3.0, "count") == "3"
