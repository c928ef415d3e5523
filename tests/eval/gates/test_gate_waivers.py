"""`dust gate` names the waivers that apply to the lines and values of the stage that it judges."""

import json
import shutil
from pathlib import Path

import pytest

from dust_core.cli import main
from dust_core.declared.specs import load_specs
from dust_eval.gates.commands import stage_report

SPECS = Path(__file__).parents[3] / "specs"
WHO = 'owner: "@ana", approved_by: "@ben", expires: 2027-01-31'
LINE = f"waiver: {{from: 25, to: 20, reason: channels are padded here, {WHO}}}"
VALUES = "".join(
    f'    - {{value: "{address}", from: {old}, to: {new}, reason: see the minutes, {WHO}}}\n'
    for address, old, new in (
        ("specs/profiles/small.yaml: threads", 4, 2),
        ("specs/profiles/full.yaml: threads", 16, 8),
        ("specs/v1/prune.yaml: P-2.rho", 0.4, 0.3),
    )
)
WHY = "until 2027-01-31, owner @ana, approved by @ben"
OF_LINE = f"smaller_by_quarter: a waiver permits 25 to 20 % {WHY}: channels are padded here"
OF_THREADS = f"specs/profiles/small.yaml: threads: a waiver permits 4 to 2 {WHY}: see the minutes"
OF_RHO = f"specs/v1/prune.yaml: P-2.rho: a waiver permits 0.4 to 0.3 {WHY}: see the minutes"


@pytest.fixture
def waived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The specs with a waived line and waived values; nothing was executed."""
    shutil.copytree(SPECS, tmp_path / "specs")
    gates = tmp_path / "specs" / "v1" / "gates.yaml"
    text = gates.read_text().replace("      value: 25\n", f"      value: 20\n      {LINE}\n")
    gates.write_text(text.replace("  gates:\n", f"  waivers:\n{VALUES}  gates:\n"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "specs"


@pytest.mark.parametrize(
    ("stage", "expected"), [("P4", (OF_LINE, OF_THREADS, OF_RHO)), ("P1", (OF_THREADS,))]
)
def test_waivers_of_the_stage_alone_are_named(
    waived: Path, stage: str, expected: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert stage_report(load_specs(waived), stage, "small").waivers == expected
    with pytest.raises(SystemExit):
        main(["gate", stage])
    printed = capsys.readouterr().out.splitlines()
    assert [line for line in printed if "a waiver permits" in line] == list(expected)
    with pytest.raises(SystemExit):
        main(["gate", stage, "--json", "-"])
    assert json.loads(capsys.readouterr().out)["waivers"] == list(expected)
