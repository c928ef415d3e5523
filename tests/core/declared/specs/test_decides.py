"""What decides a task: digests, DVC's keys and the fields of a diff give one answer."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import Field

from dust_core.declared.change.values import compare
from dust_core.declared.pipeline.stages import dvc_stages, dvc_yaml
from dust_core.declared.project import pipeline_path
from dust_core.declared.records.ledger import read_ledger
from dust_core.declared.specs import load_specs, resolve
from dust_core.declared.specs.decides import deciding_keys, decisive, digest, leaves, prose_of
from dust_core.declared.specs.models import SpecModel, Task
from dust_core.declared.specs.models.distill import DistillTask
from dust_core.declared.specs.models.gates import Gate
from dust_core.declared.specs.models.profile import Checkpoint
from dust_core.declared.specs.models.workload import WorkloadSpec

ROOT = Path(__file__).parents[4]

EXAMPLE = {
    "P0-teacher": "4bba6143691c0fddb0ddc904f9aa300fc7476eba3dff0c5bc8088a14b1c96c8e",
    "P0-2": "332b55a739a712daeb502c60ac8f134c691dd76cb7f8ddaf0b0e4342c4b7f670",
    "K-1": "9b49beaee0886ae61ca0fe217022d79c913ba5eba7b1432cd6a1f98e82daee18",
    "Q-1": "b7ffc140aaaa7c8f5dd26a1e58c73a396505e5482bf061bc010d1d226c82d4a5",
    "Q-2": "ea35e96b5af15524e0104cf7d63d3f19aa409fc647c41ae5b4fb89c59e7eeaab",
    "Q-3": "8bc1c3e9b5d66eee8edbfc9060c3ed020420a16aaac8de70502a25eb7615e5f9",
    "P-1": "2901c312e397cf2bda5053b95e18d7fa8d1d02c42c718ffc138982775ebef462",
}
"""The tasks of tests/examples/valid. A task that is edited there gets a new line here."""

PROFILE = "4e47dd69b77bdd7cd1211dc4fb94b74e12b56ba0c5cfdbc9513a0d94815878e6"
WORKLOAD = "9e76640c03e1d7e5ecda20a140e88c29efd6227ad9eb871afd2a9941f11cd4d4"


class Decay(SpecModel):
    """A section that a model might gain, itself with a field that came later."""

    LATER: ClassVar = frozenset({"floor"})
    rate: float
    floor: float = 0.0


class Averaged(DistillTask):
    """A student's task with fields that joined the format later."""

    LATER: ClassVar = frozenset({"clip", "decay"})
    clip: float | None = None
    decay: Decay = Field(default_factory=lambda: Decay(rate=0.999))


def models(parent: type[SpecModel] = SpecModel) -> Iterator[type[SpecModel]]:
    """Every model of the package."""
    for model in parent.__subclasses__():
        if model.__module__.startswith("dust_core."):
            yield model
        yield from models(model)


def written() -> dict[str, Any]:
    """K-1 as its file has it."""
    return load_specs(ROOT / "specs").task("K-1").model_dump(exclude_unset=True)


@pytest.mark.parametrize("task_id", EXAMPLE)
def test_a_task_that_nobody_edits_keeps_its_identity(task_id: str) -> None:
    task = resolve(load_specs(ROOT / "tests" / "examples" / "valid" / "specs"), task_id, "mini")
    assert task.digest == EXAMPLE[task_id]
    assert task.profile_digest == PROFILE
    assert task.workload_digest == WORKLOAD


def test_an_executed_task_keeps_its_identity() -> None:
    """The ledgers say with which spec a run was executed; a run that is yet to come has no line."""
    specs = load_specs(ROOT / "specs")
    paths = sorted((ROOT / "executions").glob("*/*.jsonl"))
    ledgers = {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in paths}
    lines = [line for ledger in read_ledger(ledgers) for line in ledger.lines]
    assert lines
    for line in lines:
        if line.task in specs.tasks and line.run == specs.task(line.task).run:
            task = resolve(specs, line.task, line.profile)
            assert task.digest == line.spec_digest, f"{line.task} run {line.run}"


def test_the_committed_pipelines_have_no_other_keys() -> None:
    specs = load_specs(ROOT / "specs")
    for profile in specs.profiles:
        assert (ROOT / pipeline_path(profile)).read_text() == dvc_yaml(specs, profile)


@pytest.mark.parametrize(
    "more",
    [{}, {"clip": None}, {"decay": {"rate": 0.999}}, {"decay": {"rate": 0.999, "floor": 0}}],
    ids=["left out", "the default", "a default section", "a default within a default"],
)
def test_a_later_field_decides_nothing_at_its_default(more: dict[str, Any]) -> None:
    before, after = DistillTask(**written()), Averaged(**written(), **more)
    assert digest(after) == digest(before)
    assert deciding_keys(after, "spec.tasks.K-1") == deciding_keys(before, "spec.tasks.K-1")
    assert not compare(Averaged(**written()), after)


@pytest.mark.parametrize(
    ("more", "key", "field"),
    [
        ({"clip": 1.0}, "clip", "clip"),
        ({"decay": {"rate": 0.99}}, "decay", "decay.rate"),
        ({"decay": {"rate": 0.999, "floor": 0.1}}, "decay", "decay.floor"),
    ],
)
def test_a_later_field_decides_like_every_other_beside_its_default(
    more: dict[str, Any], key: str, field: str
) -> None:
    before, after = DistillTask(**written()), Averaged(**written(), **more)
    assert digest(after) != digest(before)
    added = set(deciding_keys(after, "spec.tasks.K-1")) - set(
        deciding_keys(before, "spec.tasks.K-1")
    )
    assert added == {f"spec.tasks.K-1.{key}"}
    assert [change.field for change in compare(Averaged(**written()), after)] == [field]


def test_two_later_values_are_two_experiments() -> None:
    assert len({digest(Averaged(**written(), clip=clip)) for clip in (None, 0.5, 1.0)}) == 3


def test_a_subclass_keeps_what_its_parents_declare() -> None:
    class Shorter(Averaged):
        LATER: ClassVar = frozenset({"cut"})
        PROSE: ClassVar = frozenset({"remark"})
        cut: int = 0
        remark: str = ""

    shorter = Shorter(**written(), remark="a word")
    assert digest(shorter) == digest(DistillTask(**written()))
    assert prose_of(Shorter) == Task.PROSE | {"remark"}


def test_a_name_is_prose_where_its_own_model_says_so() -> None:
    class Bench(SpecModel):
        title: str
        licence: str

    changes = compare(Bench(title="a", licence="b"), Bench(title="c", licence="d"))
    assert [change.field for change in changes] == ["title", "licence"]
    for model in (WorkloadSpec, Checkpoint):
        assert "licence" in prose_of(model)


@pytest.mark.parametrize("model", list(models()), ids=lambda model: model.__name__)
def test_what_a_model_declares_exists_and_what_came_later_has_a_default(
    model: type[SpecModel],
) -> None:
    later = frozenset().union(*(vars(base).get("LATER", ()) for base in model.__mro__))
    assert prose_of(model) | later <= set(model.model_fields)
    assert not prose_of(model) & later
    assert not [name for name in later if model.model_fields[name].is_required()]


def test_digests_keys_and_diffs_agree_on_each_field_of_each_task_and_line() -> None:
    specs = load_specs(ROOT / "specs")
    keys = {
        key
        for _, stage in dvc_stages(specs, "small")
        for group in stage.get("params", ())
        for names in group.values()
        for key in names
    }
    members: dict[str, Task | Gate] = {f"spec.tasks.{k}": v for k, v in specs.tasks.items()}
    members |= {f"spec.gates.{name}": gate for name, gate in specs.gates.items()}
    for key, member in members.items():
        shown = {re.split(r"[.[]", path)[0] for path, _, is_prose in leaves(member) if not is_prose}
        for name in member.model_fields_set:
            other = member.model_copy(update={name: "another value"})
            # A later field written out at its default decides nothing yet, and would elsewhere.
            assert (f"{key}.{name}" in keys) == (name in decisive(member)), (key, name)
            assert (name in shown) == (digest(other) != digest(member)), (key, name)
