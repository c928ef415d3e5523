import csv
import datetime as dt
import re
from pathlib import Path

import pytest
import sample_results as sample
from declared_specs import exp_id, variant

from dust_core.cli import main
from dust_core.declared.records import read_table, write_result_file
from dust_core.declared.specs import load_specs

SPECS = Path(__file__).parents[4] / "specs"
TASKS = load_specs(SPECS).tasks


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the results of two tasks under the small profile, made the current one."""
    folder = tmp_path / "artifacts" / "small"
    later = sample.result(
        "P_r010_run1", task="P-1", finished=sample.MOMENT + dt.timedelta(days=1),
        figures={"gpu_hours": None}, artifacts={"pruned_r010.pth": "8" * 64},
    )  # fmt: skip
    write_result_file(folder / "K_T3B05_run1_log.json", sample.result_file())
    write_result_file(folder / "P_r010_run1_log.json", sample.result_file(later))
    (folder / "device.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ending:
        main([*arguments, "--specs", str(SPECS)])
    return ending.value.code if isinstance(ending.value.code, int) else 0


def test_table_writes_one_row_an_experiment(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("table") == 0
    path = Path("artifacts/small/result_table.csv")
    said = capsys.readouterr().out
    assert said.startswith(f"{path}: 2 experiments, ") and said.endswith(" without a record\n")
    assert [record.exp_id for record in read_table(path)] == ["K_T3B05_run1", "P_r010_run1"]


def test_table_goes_where_it_is_asked_to(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("table", "--profile", "small", "--output", "out/all.csv") == 0
    assert capsys.readouterr().out.startswith("out/all.csv: 2 experiments")
    assert len(read_table(project / "out" / "all.csv")) == 2


def test_table_holds_every_declared_experiment_and_says_which_did_not_run(project: Path) -> None:
    assert run("table") == 0
    with Path("artifacts/small/result_table.csv").open(newline="") as file:
        rows = {row["exp_id"]: row for row in csv.DictReader(file)}
    ids = {task.exp_id for task in TASKS.values() if task.exp_id and task.exp_id[:3] != "ABL"}
    variants = {variant("ABL-1", name) for name in ("noLN", "noSM")}
    assert ids | variants <= rows.keys()
    assert exp_id("ABL-1") not in rows, "an ablation is no experiment, its variants are"
    awaited = rows[variant("ABL-3", "G01")]
    assert (awaited["T"], awaited["gamma"], awaited["notes"]) == ("3.0", "0.1", "not run")
    assert awaited["delta1"] == awaited["datetime"] == "null"
    assert rows["P_r010_run1"]["notes"] == "null"
    assert rows["P_r010_run1"]["datetime"] != "null"


def test_what_dvc_recorded_is_to_be_pulled_and_not_to_be_run(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = "    outs: [{path: artifacts/small/teacher_eval.json, md5: abc, size: 1}]\n"
    (project / "dvc.lock").write_text(f"schema: '2.0'\nstages:\n  P0-2:\n{out}")
    assert run("table") == 0
    with Path("artifacts/small/result_table.csv").open(newline="") as file:
        notes = {row["exp_id"]: row["notes"] for row in csv.DictReader(file)}
    assert notes[exp_id("P0-2")] == "not here: `dvc pull --allow-missing` brings it"
    assert notes[exp_id("P0-teacher")] == "not run"
    capsys.readouterr()
    assert run("sheet") == 0
    lines = {line.split(" | ")[1]: line for line in capsys.readouterr().out.splitlines()[2:]}
    assert "`dvc pull --allow-missing` brings it" in lines["P0-2"]
    assert "not run" in lines["P0-teacher"]


def test_table_without_results_says_what_to_run(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("table", "--profile", "full") == 2
    assert capsys.readouterr().err == (
        "error: artifacts/full: there is no such folder of results\n"
        "  fix: run a stage first (dust run TASK --profile PROFILE), or name another profile\n"
    )
    (project / "artifacts" / "ci").mkdir()
    assert run("table", "--profile", "ci") == 2
    assert capsys.readouterr().err == (
        "error: artifacts/ci: no result file holds an experiment's record yet\n"
        "  fix: run a task first: dust run TASK --profile ci\n"
    )


SHEET = """\
| date | task | input | output | verdict | GPU hours | notes |
|---|---|---|---|---|---:|---|
| 2026-11-23 | K-1 | teacher_fp32.pth | student_fp32_t3b05.pth, K_T3B05_run1_log.json | - | 3.50 | - |
| 2026-11-24 | P-1 | teacher_fp32.pth | pruned_r010.pth, P_r010_run1_log.json | - | - | - |
"""  # noqa: E501


def test_sheet_prints_markdown(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("sheet") == 0
    printed = capsys.readouterr().out
    assert printed.startswith(SHEET)
    awaited = [line.split(" | ")[1] for line in printed.removeprefix(SHEET).splitlines()]
    here = {path.name for path in Path("artifacts/small").iterdir()}
    assert awaited == [task for task, own in TASKS.items() if own.result_file(task) not in here]
    assert len(awaited) > len(TASKS) - 3


def test_sheet_of_a_day_as_csv(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("sheet", "--date", "2026-11-24", "--output", "sheet.csv") == 0
    assert capsys.readouterr().out == "sheet.csv: 1 execution\n"
    assert (project / "sheet.csv").read_text() == (
        "date,task,input,output,verdict,GPU hours,notes\n"
        '2026-11-24,P-1,teacher_fp32.pth,"pruned_r010.pth, P_r010_run1_log.json",-,-,-\n'
    )


def test_sheet_in_another_format_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("sheet", "--output", "sheet.xlsx") == 2
    assert capsys.readouterr().err == (
        "error: sheet.xlsx: the sheet is written as .md or .csv, not as .xlsx\n"
        "  fix: name a file that ends in .md or .csv\n"
    )
    assert not Path("sheet.xlsx").exists()


def test_a_damaged_result_stops_the_table_in_one_message(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path("artifacts/small/K_T3B05_run1_log.json")
    text = re.sub(r'"delta1": 0\.\d+', '"delta1": NaN', path.read_text())
    path.write_text(text)
    line = text[: text.index("NaN")].count("\n") + 1
    assert run("table") == 2
    assert capsys.readouterr().err == (
        f"error: {path}:{line}:19: not a result: NaN, expected a finite number, or null where "
        "nothing was measured\n"
        "  fix: delete the file and run its task again\n"
    )
