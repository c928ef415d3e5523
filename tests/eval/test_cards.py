"""`dust cards`: the cards in docs/cards are those of the records that dvc.lock names."""

import shutil
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from typer.testing import CliRunner

from dust_core.cli import build_app
from dust_core.declared.records import read_result_file
from dust_core.declared.records.proof import recorded_outputs
from dust_core.errors import DustError

ROOT = Path(__file__).parents[2]
CARDS = ROOT / "docs" / "cards"


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The result files of `small` as dvc.lock names them, from the store in this repository."""
    folder = tmp_path_factory.mktemp("artifacts")
    (folder / "small").mkdir()
    for name, written in recorded_outputs(ROOT / "artifacts" / "small").items():
        stored = ROOT / "store" / "files" / "md5" / written.md5[:2] / written.md5[2:]
        if name.endswith(".json") and stored.is_file():
            shutil.copy(stored, folder / "small" / name)
    return folder


def cards(*arguments: str) -> None:
    """Run `dust cards` here; raises what it raises."""
    result = CliRunner().invoke(build_app(["cards"]), ["cards", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception


def test_the_cards_are_fresh(artifacts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    cards("--check", "--artifacts", str(artifacts))


def test_an_edited_card_is_out_of_date(
    artifacts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    shutil.copytree(CARDS, tmp_path / "cards")
    card = tmp_path / "cards" / "student_int8.md"
    card.write_text(card.read_text().replace("| pass |", "| fail |"))
    with pytest.raises(DustError, match=r"out of date: student_int8\.md") as refused:
        cards("--check", "--artifacts", str(artifacts), "--out", str(tmp_path / "cards"))
    assert refused.value.exit_code == 1


def test_without_a_result_the_message_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(DustError, match="KQ-3 has no result here") as refused:
        cards("--artifacts", str(tmp_path), "--out", str(tmp_path / "cards"))
    assert "dvc pull" in str(refused.value)


@pytest.mark.parametrize("name", ["teacher_fp32", "student_fp32_best", "student_int8"])
def test_a_card_has_the_metadata_of_the_hub_and_the_figures_of_its_record(
    artifacts: Path, name: str
) -> None:
    card = ModelCard((CARDS / f"{name}.md").read_text())
    measured = read_result_file(artifacts / "small" / "kq_eval.json")
    record = next(
        result.record
        for result in measured.results
        if result.provenance.role != "reference"
        and any(file.startswith(f"{name}.") for file in result.provenance.artifacts)
    )
    assert record is not None and record.delta1 is not None
    figures = {result.metric_type: result.metric_value for result in card.data.eval_results or ()}
    assert figures["delta1"] == pytest.approx(record.delta1, abs=5e-5)
    assert f"{record.t_pair_p50_ms:.1f} |" in card.text
    assert card.data.license == "other" and card.data.license_link == "NOTICE"
