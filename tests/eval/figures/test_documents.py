"""Every figure with a unit in a document is held by a record, a spec or a stored output."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from dust_core.bounded import MANIFEST_BYTES
from dust_core.declared.agreed.lines import LONGEST
from dust_core.declared.change.executed import executions
from dust_core.declared.specs import load_specs
from dust_core.pairs.shards.depth import WIDEST_RATIO
from dust_eval.figures.commands import held_by
from dust_eval.figures.figure import OUTPUTS, figures_in, parse_figure
from dust_eval.figures.known import Known, known_values
from dust_eval.scene.initial import PNP_PIXELS

ROOT = Path(__file__).parents[3]
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "tools")]

import border  # noqa: E402

from levels.glsl import FARTHEST_M  # noqa: E402
from levels.space import UNIT_M  # noqa: E402

GENERATED = {"docs/rules.md", "docs/specs.md"}  # their numbers are those of code and specs
DOCUMENTS = sorted(
    {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("docs/cards/*.md"))
    }
    - GENERATED
)
DECIDED_BY_CODE: dict[str, dict[str, float]] = {
    "docs/data.md": {"30 seconds": border.HANGS_S, "128 times": WIDEST_RATIO},
    "docs/levels.md": {"0.03 m": UNIT_M, "65.5 m": FARTHEST_M},
    "docs/model.md": {"5 pixels": PNP_PIXELS, "100 kB": MANIFEST_BYTES / 1000},
    "docs/review.md": {"180 days": LONGEST.days},
}
"""Figures that no run measures: limits, and lengths that were chosen."""


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Known]:
    """What the results of the lock hold, taken from the store, beside specs and outputs."""
    project = tmp_path_factory.mktemp("project")
    lock = {"dvc.lock": (ROOT / "dvc.lock").read_bytes()}
    for execution in executions(lock, "small").values():
        for path, digest in execution.outputs.items():
            stored = ROOT / "store" / "files" / "md5" / digest[:2] / digest[2:]
            if path.endswith(".json") and stored.is_file():
                (project / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(stored, project / path)
    if (ROOT / OUTPUTS).is_dir():
        shutil.copytree(ROOT / OUTPUTS, project / OUTPUTS)
    return tuple(known_values(load_specs(ROOT / "specs"), project))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_figure_is_held(document: str, known: Sequence[Known]) -> None:
    figures = figures_in((ROOT / document).read_text(encoding="utf-8"))
    decided = DECIDED_BY_CODE.get(document, {})
    without = [figure.text for figure in figures if not held_by(figure, known)]
    assert [text for text in without if text not in decided] == []
    assert set(decided) <= set(without)
    assert all(parse_figure(text).value == value for text, value in decided.items())


def test_no_document_is_excused_that_is_not_there() -> None:
    assert set(DECIDED_BY_CODE) <= set(DOCUMENTS)
