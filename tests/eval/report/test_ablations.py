"""The report on ablations: a picture each, its hypothesis and what came of it."""

import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import sample_results as sample

from dust_core.cli import main
from dust_core.declared.records import BaselineRef, Result, write_result_file
from dust_core.declared.specs import load_specs, resolve
from dust_eval.report.ablations import ablation_view
from dust_eval.report.content import gather

SPECS = Path(__file__).parents[3] / "specs"
SET = load_specs(SPECS)
TASK = resolve(SET, "ABL-1", "small")
TAKEN = {"task": "Q-1", "exp_id": "Q_PTQ_keepLN_run2", "sha256": "e" * 64, "spec_digest": "f" * 64}


def network(exp_id: str, delta1: float, p50: float, role: str = "candidate") -> Result:
    kind: dict[str, Any] = {}
    if role != "baseline":
        kind = {"quantities": {"nan_count": 0.0, "missing_variants": 0.0}}
    return sample.result(
        exp_id,
        task="ABL-1",
        quality=sample.per_pair(delta1=delta1),
        latency=sample.turns(p50),
        role=role,
        profile="small",
        spec_digest=TASK.digest,
        workload_sha256=TASK.workload_digest,
        baselines={"P0-2": BaselineRef(exp_id=sample.TEACHER, sha256="4" * 64)},
        artifacts={f"{exp_id}.onnx": "5" * 64},
        **kind,
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A profile in which LayerNorm costs more than Softmax, and Softmax saves a fifth."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "artifacts" / "small"
    file = sample.result_file(
        network("ABL_KEEP_run1", 0.90, 100.0, "reference"),
        network("ABL_KEEP_noLN_run1", 0.80, 99.0),
        network("ABL_KEEP_noSM_run1", 0.88, 80.0),
        network(sample.TEACHER, 0.95, 200.0, "baseline"),
        extra={"base": "ABL_KEEP_run1", "taken": {"ABL_KEEP_run1": TAKEN}},
    )
    write_result_file(folder / "ablation_keep.json", file)
    return folder


def page(folder: Path) -> str:
    with pytest.raises(SystemExit) as ending:
        main(["report", "--specs", str(SPECS)])
    assert not ending.value.code
    return (folder / "report" / "index.html").read_text(encoding="utf-8")


def text_of(html: str, section: str) -> str:
    part = html.partition(f'<section id="{section}">')[2].partition("</section>")[0]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", part)).split())


def test_bars_are_drops_against_the_teacher_and_savings_against_the_base(folder: Path) -> None:
    content = gather(SET, "small", folder)
    (view,) = content.ablations
    assert content.headline is None, "a variant is not what the page begins with"
    assert [bar.name for bar in view.bars] == ["Q-1, the base", "noLN", "noSM"]
    drops = [bar.drop.value for bar in view.bars if bar.drop]
    assert drops == pytest.approx([100 * (0.95 - own) / 0.95 for own in (0.90, 0.80, 0.88)])
    assert [bar.saved and round(bar.saved.value, 6) for bar in view.bars] == [None, 1.0, 20.0]
    assert all(bar.drop and bar.drop.interval for bar in view.bars)


def test_the_page_has_the_picture_the_hypothesis_and_the_outcome(folder: Path) -> None:
    html = page(folder)
    for shown in (
        "drop of delta1 against the teacher",
        "median latency saved against the base",
    ):
        assert f'<svg role="img" aria-label="Ablation ABL-1, {shown}"' in html
    section = html.partition('<section id="ablations">')[2].partition("</section>")[0]
    assert section.count("<svg ") == 2 and 'class="wide"' not in section, "they fit a phone"
    text = text_of(html, "ablations")
    assert "ABL_KEEP_run1 is the network of Q-1 (Q_PTQ_keepLN_run2), taken by its SHA-256" in text
    hypothesis = " ".join(TASK.task.hypothesis.split())
    # No commit or lock proves these figures, so they decide nothing here.
    assert text.index(hypothesis) < text.index("undecided", text.index(hypothesis))
    assert "t_pair_p50_down of noSM against base: 20 %" in text
    for task in ("ABL-2", "ABL-3"):
        assert re.search(rf"{task}, [^:]+: not run", text)
    assert "The hypothesis: undecided , by the ablation's figures" in text_of(html, "hypotheses")


def test_a_mark_of_lines_is_no_outcome_of_a_hypothesis(folder: Path) -> None:
    content = gather(SET, "small", folder)
    assert content.outcomes == {"ABL-1": "undecided"}
    html = page(folder)
    assert re.search(r"\S ABL-1 undecided", text_of(html, "verdicts"))
    section = html.partition('<section id="hypotheses">')[2].partition("</section>")[0]
    (first,) = re.findall(r"<div>ABL-1<br>(.*?)</div>", section)
    assert first == '<span class="muted">a line is inconclusive</span>'
    coloured = set(re.findall(r'class="status (\w+)"', section))
    assert coloured == {"undecided"}, "only outcomes of claims have a colour here"


def test_a_hypothesis_that_figures_contradict_is_refuted(folder: Path) -> None:
    from dust_core.declared.records import read_result_file
    from dust_eval.gates.stage import judge_task

    file = read_result_file(folder / "ablation_keep.json")
    view = ablation_view(TASK, file, judge_task(TASK, {"ABL-1": file}))
    assert view is not None
    assert [claim.outcome for claim in view.claims] == ["held", "held", "refuted"]
    assert view.outcome == "refuted"


def test_a_task_that_dvc_recorded_is_to_be_pulled(folder: Path) -> None:
    out = "    outs: [{path: artifacts/small/ablation_loss.json, md5: abc, size: 1}]\n"
    Path("dvc.lock").write_text(f"schema: '2.0'\nstages:\n  ABL-3:\n{out}")
    content = gather(SET, "small", folder)
    statuses = {view.id: view.status for view in content.views}
    assert (statuses["ABL-2"], statuses["ABL-3"]) == ("not run", "dvc pull")
    assert content.executed == 1
    html = page(folder)
    assert "not here: `dvc pull --allow-missing` brings it" in text_of(html, "ablations")
    assert "not here: `dvc pull --allow-missing` brings it" in text_of(html, "sheet")
    rows = {row.task: row.notes for row in content.sheet}
    assert set(rows) == set(SET.tasks)


def test_a_base_with_its_own_training_is_not_called_the_base_tasks_network(folder: Path) -> None:
    from dust_core.declared.records import read_result_file
    from dust_eval.report.ablations import _label

    file = read_result_file(folder / "ablation_keep.json")
    variant = next(r for r in file.results if str(r.exp_id) == "ABL_KEEP_noLN_run1")
    assert _label(file, variant, "Q-1") == "noLN, as Q-1"
    source = {"taken": {"ABL_KEEP_noLN_run1": {}}}
    assert _label(file.model_copy(update={"extra": source}), variant, "Q-1") == "noLN = Q-1"
