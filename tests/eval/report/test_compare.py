"""`dust report --compare`: two runs or two devices side by side."""

import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest
import sample_report as made
import sample_results as sample
from declared_specs import result_file

from dust_core.cli import main
from dust_core.declared.records import MeasuredDevice, read_result_file, write_result_file
from dust_eval.report.content import gather
from dust_eval.report.runs import compare_runs


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This run, and beside it `other`, whose INT8 network takes more than its line allows."""
    monkeypatch.chdir(tmp_path)
    made.write_results(tmp_path / "artifacts" / "small")
    made.write_results(tmp_path / "other" / "small", int8_ms=80.0)
    return tmp_path


def report(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ending:
        main(["report", "--specs", str(made.SPECS), "--no-pictures", *arguments])
    return int(ending.value.code or 0)


def compared_rows(page: Path) -> list[list[str]]:
    html = page.read_text(encoding="utf-8")
    section = html.partition('<section id="compared">')[2].partition("</section>")[0]
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", section, re.S)
    cells = ([re.sub(r"<[^>]+>", "", cell) for cell in row.split("</td>")] for row in rows)
    return [[" ".join(unescape(cell).split()) for cell in row] for row in cells]


def test_verdicts_that_changed_are_first(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "other" / "small" / result_file("Q-1")).unlink()
    assert report("--compare", "other") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("Q-1 delta1_drop: not there -> ")
    assert said[1].startswith("1 of ") and said[1].endswith(" verdicts changed against other")
    rows = compared_rows(here / "artifacts/small/report/index.html")
    assert rows[1][:3] == ["Q-1", "delta1_drop", "not there"]
    assert rows[1][4].startswith("not there → ") and rows[2][0] == "P0-2"
    line = next(row for row in rows if row[1:2] == ["t_pair_p50_down of KQ_INT8"])
    assert "20 % (≥ 50 %)" in line[2] and "60 % (≥ 50 %)" in line[3]


def test_figures_have_their_difference_and_its_meaning(here: Path) -> None:
    assert report("--compare", "other") == 0
    rows = compared_rows(here / "artifacts/small/report/index.html")
    in_turn = next(row for row in rows if row[0] == "KQ_INT8, by KQ-3")
    assert in_turn[2:6] == ["40 %", "20 %", "−50.00 %", "it gains on the teacher"]
    alone = next(row for row in rows if row[1:2] == ["t_pair_p50_ms"])
    assert alone[5] == "faster, in another process: the machine's load counts, too"
    assert not [row for row in rows if row[1:2] == ["delta1"]], "what does not differ is left out"


def test_times_of_two_devices_have_no_winner(here: Path) -> None:
    path = here / "other" / "small" / "kq_eval.json"
    file = read_result_file(path)
    device = MeasuredDevice(kind="cpu", name="Another CPU", fingerprint="d" * 64)
    moved = [
        result.model_copy(
            update={"provenance": result.provenance.model_copy(update={"device": device})}
        )
        for result in file.results
    ]
    write_result_file(path, file.model_copy(update={"results": tuple(moved)}))
    compared = compare_runs(
        gather(made.SET, "small", here / "other" / "small"),
        gather(made.SET, "small", here / "artifacts" / "small"),
        "other",
    )
    times = [row for row in compared.figures if row.figure == "t_pair_p50_ms"]
    assert [(row.sense, row.meaning) for row in times] == [
        ("", "another device: compare the devices, not the networks")
    ]
    assert "Another CPU (dddddddd)" in compared.devices[0]


def test_another_precision_of_a_network_is_compared_and_named(here: Path) -> None:
    path = here / "other" / "small" / "kq_eval.json"
    file = read_result_file(path)
    narrow = sample.OPENVINO.model_copy(update={"precision": "int8+bf16"})
    results = [
        result.model_copy(
            update={"provenance": result.provenance.model_copy(update={"runtime": narrow})}
        )
        for result in file.results
    ]
    write_result_file(path, file.model_copy(update={"results": tuple(results)}))
    compared = compare_runs(
        gather(made.SET, "small", here / "other" / "small"),
        gather(made.SET, "small", here / "artifacts" / "small"),
        "other",
    )
    assert not compared.alone
    times = [row.network for row in compared.figures if row.figure == "t_pair_p50_ms"]
    assert times == ["KQ_INT8, fp32, there int8+bf16"]


def test_another_run_of_a_network_is_the_same_network(here: Path) -> None:
    path = here / "other" / "small" / "kq_eval.json"
    path.unlink()
    made.write_results(here / "other" / "small", int8="KQ_INT8_run99")
    compared = compare_runs(
        gather(made.SET, "small", here / "other" / "small"),
        gather(made.SET, "small", here / "artifacts" / "small"),
        "other",
    )
    assert not compared.alone
    assert compared.changed == 0


def test_a_folder_without_results_and_an_unknown_name_are_errors(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "empty").mkdir()
    assert report("--compare", "empty") == 2
    assert "no result of the profile small to compare with" in capsys.readouterr().err
    git("init", "-q")
    assert report("--compare", "nosuch") == 2
    assert "'nosuch' is no folder, and git knows no such commit" in capsys.readouterr().err


def test_a_branch_may_have_the_name_of_a_folder(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The revision has specs and no result: its lock lists none."""
    (here / "docs").mkdir()
    shutil.copytree(made.SPECS, here / "specs")
    git("init", "-q")
    git("add", "specs")
    git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "Specs alone")
    git("branch", "docs")
    assert report("--compare", "docs") == 2
    said = capsys.readouterr().err
    assert said.startswith("error: docs: there is no result of the profile small")


def git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True)
