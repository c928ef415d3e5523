"""`dust gate --explain` names the files, digests and figures of the result that it explains."""

from collections.abc import Callable
from pathlib import Path

import pytest
import sample_results as sample
from pruned_results import P10, pruned, teacher

from dust_core.declared.records import read_result_file, write_result_file
from dust_core.files import sha256_file

Run = Callable[..., tuple[int, str, str]]


def test_a_figure_is_traced_to_its_result(results: Path, gate: Run) -> None:
    code, output, _ = gate("P4", "--explain", "p-1:quality_pruned")
    path = results / f"{P10}_log.json"
    (candidate,) = read_result_file(path).candidates
    rows = dict(line.strip().split("  ", 1) for line in output.splitlines()[1:])
    facts = {name: text.strip() for name, text in rows.items()}
    assert code == 0
    assert output.splitlines()[0].startswith("P-1 quality_pruned: delta1_drop is 1.053 %, asked <=")
    assert facts["from"] == "delta1 b = 0.95, c = 0.94"
    assert facts["result"] == f"artifacts/small/{path.name}, SHA-256 {sha256_file(path)[:12]}"
    assert facts["candidate"] == f"{P10}: pruned_r010.pth {'a' * 12}"
    assert facts["spec"].endswith(f"prune.yaml, digest {candidate.provenance.spec_digest[:12]}")
    assert candidate.provenance.device.fingerprint[:12] in facts["device"]
    assert facts["again"] == "dust run P-1 --profile small"


def test_every_verdict_of_a_stage_is_explained(results: Path, gate: Run) -> None:
    _, table, _ = gate("P4", "--json", "-")
    code, output, _ = gate("P4", "--explain", "all")
    assert code == 0
    assert output.count("\n  verdict ") == table.count('"gate": ')


def test_a_result_that_is_not_here_says_how_to_get_it(results: Path, gate: Run) -> None:
    (results / "prune_eval.json").unlink()
    code, output, _ = gate("P4", "--explain", "P-3")
    assert code == 0
    assert (
        "'dvc pull --allow-missing' fetches it, or 'dust run P-3 --profile small' makes it"
        in output
    )


def test_text_is_not_written_where_json_is_asked_for(
    results: Path, gate: Run, tmp_path: Path
) -> None:
    code, output, errors = gate("P4", "--explain", "P-3", "--json", str(tmp_path / "p4.json"))
    assert (code, output) == (2, "")
    assert "--explain writes text, not JSON" in errors
    assert not (tmp_path / "p4.json").exists()


@pytest.mark.parametrize("line", ["K-1", "quality", "", "P-1:nan", "\x1b[31m"])
def test_an_unknown_line_is_one_message_that_names_the_lines(
    results: Path,
    gate: Run,
    line: str,
) -> None:
    code, _, errors = gate("P4", "--explain", line)
    assert code == 2
    assert "P4 has no verdict" in errors and "P-3:smaller_by_quarter" in errors
    assert "\x1b[31m" not in errors


def test_a_figure_that_was_not_measured_is_explained_without_it(results: Path, gate: Run) -> None:
    unmeasured = teacher("P-1", quality={})
    path = results / f"{P10}_log.json"
    write_result_file(path, sample.result_file(pruned("P-1", P10), unmeasured))
    code, output, _ = gate("P4", "--explain", "P-1:quality_pruned")
    assert code == 0
    assert "of the baseline was not measured" in output
    assert "\n  from " not in output and "\n  device " in output
