"""PROF: a profile changes size, data, device and runtime, and nothing that decides success."""

from collections.abc import Iterator
from functools import cache
from typing import Any, get_args

from pydantic import BaseModel

from dust_core.declared.checks.finding import Finding
from dust_core.declared.checks.rules.base import FileRule, ModelRule, TreeRule
from dust_core.declared.checks.subjects import SpecTree, YamlFile
from dust_core.declared.project import EMBEDDED_PROFILE
from dust_core.declared.reading.faults import ModelFault
from dust_core.declared.reading.wording import one_of
from dust_core.declared.specs.models import KINDS, Profile, ProfileSpec


class TouchesExperiment(ModelRule):
    """A profile sets size, data, device and runtime. Lines, metrics, the protocol and the
    parameters of tasks are the same under every profile; otherwise a task that fails could pass
    under another profile.
    """

    id = "PROF001"
    title = "a profile sets what only the experiments' specs may set"
    fix = "remove it; change the experiment in specs/v1 if it is wrong"
    codes = ("extra_forbidden",)

    def concerns(self, subject: YamlFile, fault: ModelFault) -> bool:
        known = fault.code in self.codes and fault.loc[-1] in _experiment_keys()
        return subject.kind == "Profile" and known

    def report(self, subject: YamlFile, fault: ModelFault) -> Finding:
        place = subject.place(fault.loc, of_key=True)
        return self.finding(place, fault.loc[-1], one_of(ProfileSpec.model_fields))


class NotQuotable(ModelRule):
    """A profile whose figures may be quoted measures the whole workload; `ci`, which does not, says
    `quotable: false`.
    """

    id = "PROF002"
    title = "a quotable profile does not measure the whole workload"
    fix = "write workload_pairs: 20, or quotable: false"
    codes = ("profile_pairs",)
    expected = "20, or quotable: false"


class TeacherOnce(ModelRule):
    """The teacher is either a published checkpoint or trained by a recipe. With both or neither it
    is unclear which network everything is compared with.
    """

    id = "PROF003"
    title = "the profile does not say where its teacher comes from"
    fix = "give either teacher.checkpoint or training.teacher, and write null for the other"
    codes = ("profile_teacher",)
    expected = "either a published checkpoint or a recipe in training.teacher"


class NetworkShape(ModelRule):
    """Attention heads divide the channels evenly, in multiples of four (two-dimensional RoPE
    rotates pairs of channels for rows and for columns). Only a `dpt` head has widths. It predicts
    16 pixels along a token's side, so it needs patches of a multiple of 16.
    """

    id = "PROF004"
    title = "the teacher's dimensions do not fit each other"
    fix = "choose numbers that divide: channels / heads by 4, the patch_size of a dpt head by 16"
    codes = ("network_heads", "network_head", "network_patches")


class PatchesGrow(ModelRule):
    """Stages of the teacher's training enlarge its patches by whole factors, those of a `dpt` head
    from multiples of 16. The last stage has the patch size of the network. The same holds for the
    stages of a distillation, which may end at smaller patches; its later stages leave the first one
    a share of the epochs.
    """

    id = "PROF006"
    title = "the stages of a training do not lead to the network"
    fix = (
        "let each patch_size divide the next, and the last that of teacher.network; let the shares "
        "of later stages sum to less than 1"
    )
    codes = ("profile_stages", "profile_shares", "profile_distill_patches")


class NothingToFill(FileRule):
    """A value that the user must supply is null, and `fill_in` describes it. With only one of the
    two it is unclear what is missing.
    """

    id = "PROF005"
    title = "fill_in does not agree with what is left null"
    fix = "describe in fill_in what is null, or supply the values and remove fill_in"

    def applies(self, subject: YamlFile) -> bool:
        return subject.kind == "Profile"

    def check(self, subject: YamlFile) -> Iterator[Finding]:
        if subject.model is None:
            return
        spec: ProfileSpec = subject.model.spec
        open_places = list(spec.open_values())
        if open_places and spec.fill_in is None:
            place = subject.place(("spec", *open_places[0]))
            yield self.finding(place, "null, and no fill_in", "fill_in: what the user must supply")
        elif spec.fill_in is not None and not open_places:
            yield self.finding(
                subject.place(("spec", "fill_in")), spec.fill_in, "no fill_in: nothing is null"
            )


class EasierProfile(TreeRule):
    """Figures of every quotable profile are quoted beside those of the embedded profile. So its
    training is stopped, and its students are chosen, by at least as many validation pairs.
    """

    id = "PROF007"
    title = "a quotable profile measures less than the embedded profile"
    fix = "write at least as many pairs, or quotable: false"

    def check(self, subject: SpecTree) -> Iterator[Finding]:
        files = {
            file.model.metadata.name: file for file in subject.of_kind("Profile") if file.model
        }
        if EMBEDDED_PROFILE not in files:
            return
        least = files[EMBEDDED_PROFILE].model.spec.validation_pairs
        for file in files.values():
            spec: ProfileSpec = file.model.spec
            if spec.quotable and spec.validation_pairs < least:
                place = file.place(("spec", "validation_pairs"))
                expected = f"at least {least}, as in {EMBEDDED_PROFILE}"
                yield self.finding(place, spec.validation_pairs, expected)


@cache
def _experiment_keys() -> frozenset[str]:
    keys: set[str] = {"gates", "tasks", "metrics", "lines", "waiver"}
    for kind in KINDS.values():
        if kind is not Profile:
            keys |= _fields(kind)
    return frozenset(keys - _fields(Profile))


def _fields(annotation: Any) -> set[str]:
    """The names of all fields below a model or a type made of models."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        names = set(annotation.model_fields)
        for field in annotation.model_fields.values():
            names |= _fields(field.annotation)
        return names
    return {name for inner in get_args(annotation) for name in _fields(inner)}


RULES = (
    TouchesExperiment(),
    NotQuotable(),
    TeacherOnce(),
    NetworkShape(),
    NothingToFill(),
    PatchesGrow(),
    EasierProfile(),
)
