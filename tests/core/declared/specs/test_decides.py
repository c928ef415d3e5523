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

IDENTITIES = {
    "P0-1": "6374eb811c1aa10c0a8b5174418a88385dcbee3c406615a99d8ec043c58473fd",
    "P0-teacher": "f159224ac9d98132c6708540be074b2763a9a6cc65ef1d96fc19fcb4c80c5705",
    "P0-2": "14cb5c142605ed241ec9c6a85e7067de914822922a295b5a2bd7e2c296322978",
    "K-1": "fb18d61d14d268d82857cb5ee8173f13ca3a130aa660052e963cf99da0a9e2b9",
    "K-2": "38135685804805e773a0f438f8dd7c24bd0799c508d6651819fd44cb7466fb14",
    "K-3": "664f0a2a0e9373931aa2633ac0dd1ff95da9b382789bb5f4a520941c0a200135",
    "K-4": "11ca1c6cde51b0c8548a2201572f95178803678a4abcbda0c4897129db4f37a0",
    "Q-1": "950b61f64da493eb1dba4e9ca933880f0f79fea679330aecf4e7bdcf412930e6",
    "Q-2": "add2ef26efdf3aa84c82d912a580d6f1cfb98f062352c37f3d551f787c6b9be8",
    "Q-3": "b641df9b96c9dfea06e8b4aa919227e8963c7276560cd9d2749d6204ecf2829c",
    "Q-4": "6011e9619e5b95baa0aea013e5a3d973e016970fd08100da3e684419464206ae",
    "KQ-1": "75a12a94d80a5a07c249f4f08b397d7f2a2816fa10d88b5d4a6823a5d452f476",
    "KQ-2": "af65fba97499f4de4f78d982d0d3e3257c8e3c1e52137867c9d261a3deb1a3cb",
    "KQ-3": "ca665ce08deabfff592447dcf550c5ee711a2eea937d3f9a4e6bfbbf7661215f",
}
"""Tasks of tests/examples/identities, specs that nobody edits: only code can change these."""

PROFILE = "ed3076a22e2d17a9c9f48b81556eef95b7813ddd7ba3368dec4c75cc9621216b"
WORKLOAD = "860f0babc05c4da2f573e53bbce420308eb126307d52df10bf6a35b56f819ad9"


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


@pytest.mark.parametrize("task_id", IDENTITIES)
def test_a_task_that_nobody_edits_keeps_its_identity(task_id: str) -> None:
    task = resolve(load_specs(ROOT / "tests" / "examples" / "identities"), task_id, "small")
    assert task.digest == IDENTITIES[task_id]
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
