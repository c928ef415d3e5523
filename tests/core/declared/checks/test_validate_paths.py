"""What `dust validate PATH` looks at, how it ends, and how soon."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import check_examples as examples
import pytest

from dust_core import cli
from dust_core.declared.checks import validate
from dust_core.errors import DustError


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(examples.build(None, tmp_path))
    return tmp_path


def replace(file: str, old: str, new: str) -> None:
    path = Path(file)
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def findings_in(*paths: str) -> list[str]:
    report = validate([Path(path) for path in paths])
    return [f"{finding.rule} {finding.place.path}" for finding in report.findings]


@pytest.mark.parametrize(
    ("paths", "files"),
    [
        ((), 13),
        ((".",), 13),
        (("specs",), 7),
        (("specs/v1",), 6),
        (("specs/profiles",), 1),
        (("specs/v1/distill.yaml",), 1),
        (("specs", "specs/v1/distill.yaml"), 7),
        (("artifacts",), 6),
        (("artifacts/mini",), 6),
        (("artifacts/mini/result_table.csv",), 1),
        (("artifacts/mini/K_T3B05_run1_log.json",), 1),
    ],
)
@pytest.mark.usefixtures("project")
def test_a_path_stands_for_the_files_below_it(paths: tuple[str, ...], files: int) -> None:
    report = validate([Path(path) for path in paths])
    assert report.files == files
    assert not report.findings


@pytest.mark.usefixtures("project")
def test_only_what_was_asked_about_is_reported() -> None:
    replace("specs/v1/distill.yaml", "patience: 3", "patience: 300")
    replace("specs/v1/gates.yaml", "value: 1.0", "value: 1.5")
    assert findings_in("specs/v1/gates.yaml") == ["GATE001 specs/v1/gates.yaml"]
    assert findings_in("specs/v1/distill.yaml") == ["SPEC013 specs/v1/distill.yaml"]
    assert findings_in("specs/profiles") == []


@pytest.mark.usefixtures("project")
def test_a_single_file_is_compared_with_the_files_around_it() -> None:
    replace("specs/v1/distill.yaml", "needs: [P0-2]", "needs: [P0-9]")
    os.chdir("specs/v1")
    assert findings_in("distill.yaml") == ["REF001 distill.yaml"]


@pytest.mark.usefixtures("project")
def test_results_without_specs_say_what_was_not_checked(tmp_path: Path) -> None:
    Path("artifacts").rename(tmp_path / "elsewhere")
    for file in Path("specs").rglob("*.yaml"):
        file.unlink()
    report = validate([Path("elsewhere")])
    assert not report.findings
    reasons = {entry.rule: entry.reason for entry in report.skipped}
    assert reasons["PROV003"] == "no folder specs beside or above it"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere", "there is no such file or folder"),
        ("data", "nothing here can be validated"),
        ("artifacts/mini/student_fp32_t3b05.pth", "nothing here can be validated"),
    ],
)
@pytest.mark.usefixtures("project")
def test_a_path_that_holds_nothing_is_a_usage_error(
    path: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DustError, match=message):
        validate([Path(path)])
    with pytest.raises(SystemExit) as ending:
        cli.main(["validate", path])
    assert ending.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.usefixtures("project")
def test_exit_codes_and_options(capsys: pytest.CaptureFixture[str]) -> None:
    def run(*words: str) -> tuple[int | str | None, str]:
        with pytest.raises(SystemExit) as ending:
            cli.main(["validate", *words])
        return ending.value.code, capsys.readouterr().out

    assert run("specs") == (0, "0 errors, 0 warnings in 7 files\n")
    replace("specs/v1/gates.yaml", "value: 1.0", "value: 1.5")
    code, text = run("specs", "--select", "GATE")
    assert code == 1
    assert text.startswith("specs/v1/gates.yaml:27:14: GATE001 ")
    assert run("specs", "--select", "GATE", "--ignore", "GATE001")[0] == 0
    assert run("specs", "--select", "GAIT")[0] == 2
    code, text = run("specs", "--select", "GATE", "--format", "github")
    assert (code, text.partition(",")[0]) == (1, "::error file=specs/v1/gates.yaml")


def test_specs_are_validated_without_torch_or_numpy(project: Path) -> None:
    script = (
        "import sys\n"
        "from dust_core.cli import main\n"
        "try:\n"
        "    main(['validate', 'specs'])\n"
        "except SystemExit as ending:\n"
        "    assert not ending.code\n"
        "heavy = {'torch', 'numpy', 'scipy', 'cv2', 'onnx', 'dvc'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=project, check=True)


def test_rules_explains_a_family(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ending:
        cli.main(["rules", "gate001"])
    assert not ending.value.code
    text = capsys.readouterr().out
    assert "### GATE001: a success line is loosened without a waiver" in text
    assert "**Fix:** restore the agreed value" in text
    assert "GATE002" not in text


@pytest.mark.usefixtures("project")
def test_a_change_after_execution_takes_the_next_run() -> None:
    replace("specs/v1/distill.yaml", "patience: 3", "patience: 5")
    assert findings_in("specs") == ["EXEC001 specs/v1/distill.yaml"]
    assert findings_in("artifacts") == ["PROV003 artifacts/mini/K_T3B05_run1_log.json"]
    replace(
        "specs/v1/distill.yaml",
        "run: 1\n      exp_id: K_T3B05_run1",
        "run: 2\n      exp_id: K_T3B05_run2",
    )
    assert findings_in() == []


@pytest.mark.usefixtures("project")
def test_results_that_are_never_quoted_hold_no_task_to_its_spec() -> None:
    replace("specs/profiles/mini.yaml", "quotable: true", "quotable: false")
    replace("specs/v1/distill.yaml", "patience: 3", "patience: 5")
    assert findings_in("specs") == []


@pytest.mark.usefixtures("project")
def test_a_waiver_lets_a_loosened_line_stand() -> None:
    Path("artifacts").rename("elsewhere")
    last = str(datetime.now(UTC).date() + timedelta(days=90))
    waiver = (
        'value: 1.5\n      waiver: {from: 1.0, to: 1.5, reason: INT8 is slow here, owner: "@ann", '
        'approved_by: "@reviewer", expires: %s}'
    )
    replace("specs/v1/gates.yaml", "value: 1.0", waiver % last)
    assert findings_in("specs") == []
    replace("specs/v1/gates.yaml", last, "2026-11-01")
    assert findings_in("specs") == ["GATE002 specs/v1/gates.yaml"]
