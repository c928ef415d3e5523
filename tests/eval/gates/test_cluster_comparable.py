"""A stage whose figures could not be compared with its baseline's is not started."""

from pathlib import Path

import pytest
import sample_results as sample
from lines import teacher

from dust_core.declared.records import ResultFile
from dust_core.declared.records.storage import write_result_file
from dust_core.declared.specs import load_specs
from dust_core.errors import DustError
from dust_eval.cluster.comparable import require_comparable
from dust_eval.cluster.order import Member

SPECS = Path(__file__).parents[3] / "specs"
THERE = Member("3", "e" * 64, "Another CPU", ("m", "t"), {})
ALIKE = Member("4", sample.CPU.fingerprint, sample.CPU.name, ("m", "t"), {})


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """P0-2 was measured on the device of the made-up results, under `small` and `ci`."""
    monkeypatch.chdir(tmp_path)
    file = ResultFile(
        apiVersion="dust/v1",
        kind="Result",
        task="P0-2",
        results=(teacher(task="P0-2", role="candidate"),),
        verdicts=(),
        extra={},
    )
    for profile in ("small", "ci"):
        path = tmp_path / "artifacts" / profile / "teacher_eval.json"
        path.parent.mkdir(parents=True)
        write_result_file(path, file)


def test_another_device_than_the_baselines_is_refused(measured: None) -> None:
    with pytest.raises(DustError) as refusal:
        require_comparable(load_specs(SPECS), "small", "K-1", THERE)
    assert str(refusal.value) == (
        "artifacts/small/teacher_eval.json: K-1 is compared with P0-2, which was measured on "
        "another device: Example CPU cccccccccccc, not Another CPU eeeeeeeeeeee\n"
        "  fix: start workers on that device, or measure P0-2 anew: declare its next run"
    )


@pytest.mark.parametrize(
    ("profile", "task", "worker"),
    [
        ("small", "K-1", ALIKE),
        ("small", "P0-2", THERE),  # its lines have no baseline
        ("small", "device", THERE),
        ("ci", "K-1", THERE),  # its figures are not to be quoted
    ],
)
def test_what_can_be_compared_or_need_not_be_is_not_refused(
    measured: None, profile: str, task: str, worker: Member
) -> None:
    require_comparable(load_specs(SPECS), profile, task, worker)
