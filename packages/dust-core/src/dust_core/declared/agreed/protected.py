"""Values that are no lines and yet decide what passes, each with the change that makes it easier.

A laxer line shows as a laxer line. A weaker teacher, an easier workload or fewer repeats let as
much through, and no line changes. So the values below are protected: a change in the easier
direction needs a new run of what depends on the value, or a waiver.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

from dust_core.declared.agreed.design import is_weaker
from dust_core.declared.specs.decides import decisive
from dust_core.declared.specs.models import SpecFile

Way = Literal["any", "less", "more", "true", "false", "gained", "lost", "weaker"]
"""The change that makes passing easier: any change, a smaller or a larger number, a switch that
becomes true or false, a list that gains or loses a member, a weaker action on failure. `any` is for
values of which nobody can say which is the easier."""

Direction = Literal["easier", "harder", "other"]


@dataclass(frozen=True, slots=True)
class Protected:
    """A protected value.

    Attributes:
        kind: the kind of its file.
        key: its dotted key below `spec`; `*` stands for any part.
        way: the change that makes passing easier.
        why: how it does that.
    """

    kind: str
    key: str
    way: Way
    why: str

    @property
    def names_tasks(self) -> bool:
        """Whether the value names other tasks by their ids."""
        return self.key.rpartition(".")[2] in ("candidates", "policy", "base", "on_failure")


_ANOTHER_TEACHER = "every line of quality is relative to the teacher"
_ANOTHER_DEVICE = "latency and quality depend on what executes the networks"
_SEEN = "networks that saw the workload know it"
_NOISE = "fewer samples are easier to get lucky with"
_PROTOCOL = "figures of two protocols cannot be compared"
_SMALLER = "a network that loses less keeps its quality more easily"
_RANGES = "the ranges of eight bits decide what is lost"

TABLE: tuple[Protected, ...] = (
    Protected("Profile", "quotable", "false", "nobody is bound by figures that are not quoted"),
    Protected("Profile", "teacher.network", "any", _ANOTHER_TEACHER),
    Protected("Profile", "teacher.checkpoint", "any", _ANOTHER_TEACHER),
    Protected("Profile", "training.teacher", "any", _ANOTHER_TEACHER),
    Protected("Profile", "training.distill.shards", "any", _SEEN),
    Protected("Profile", "training.distill.then", "any", _SEEN),
    Protected("Profile", "training.qat.shards", "any", _SEEN),
    Protected("Profile", "training.prune.shards", "any", _SEEN),
    Protected("Profile", "training.ablate_loss.shards", "any", _SEEN),
    Protected("Profile", "data", "any", "some pictures are easier than others"),
    Protected("Profile", "device", "any", _ANOTHER_DEVICE),
    Protected("Profile", "threads", "any", _ANOTHER_DEVICE),
    Protected("Profile", "runtime", "any", _ANOTHER_DEVICE),
    Protected("Profile", "workload_pairs", "less", _NOISE),
    Protected("Profile", "validation_pairs", "less", _NOISE),
    Protected("Workload", "images", "any", _PROTOCOL),
    Protected("Workload", "pair_graph", "any", _PROTOCOL),
    Protected("Workload", "seed", "any", _PROTOCOL),
    Protected("Workload", "data.workload", "any", "some pictures are easier than others"),
    Protected("Workload", "data.calibration", "any", _RANGES),
    Protected("Workload", "data.training", "any", _SEEN),
    Protected("Workload", "data.validation", "any", "the validation set chooses students"),
    Protected("Workload", "timing.warmup", "less", _NOISE),
    Protected("Workload", "timing.repeats", "less", _NOISE),
    Protected("Workload", "timing.order", "any", _PROTOCOL),
    Protected("Workload", "timing.percentiles", "any", _PROTOCOL),
    Protected("Workload", "timing.tf32", "any", _PROTOCOL),
    Protected("Workload", "timing.baseline_precision", "any", _PROTOCOL),
    Protected("Workload", "quality.bootstrap", "less", _NOISE),
    Protected("Workload", "quality.confidence", "less", "a lower level makes intervals narrower"),
    Protected("Workload", "quality.metrics", "any", _PROTOCOL),
    Protected("Workload", "quality.primary", "any", _PROTOCOL),
    Protected("Workload", "quality.alignment", "any", _PROTOCOL),
    Protected("Workload", "quality.chamfer_points", "any", _PROTOCOL),
    Protected("Workload", "scene", "any", _PROTOCOL),
    Protected("Distill", "common.student.depth", "less", _SMALLER),
    Protected("Distill", "common.student.heads", "less", _SMALLER),
    Protected("Distill", "common.student.ffn", "less", _SMALLER),
    Protected("Distill", "common.student.ffn_multiple", "more", _SMALLER),
    Protected("Distill", "tasks.*.candidates", "any", "a choice among others has another winner"),
    Protected("Distill", "tasks.*.choose_by", "any", "a choice on the workload fits the workload"),
    Protected("Quant", "common.weights", "any", _RANGES),
    Protected("Quant", "common.activations", "any", _RANGES),
    Protected("Quant", "common.keep_list", "gained", "what stays in float loses nothing"),
    Protected("Quant", "common.attention_products", "false", "what stays in float loses nothing"),
    Protected("Quant", "common.calibrator", "any", _RANGES),
    Protected("Quant", "common.percentile", "any", _RANGES),
    Protected("Quant", "common.smoothing", "any", _RANGES),
    Protected("Quant", "common.bias_correction", "any", _RANGES),
    Protected("*", "tasks.*.calibration_images", "any", _RANGES),
    Protected("KQ", "tasks.*.policy", "any", _RANGES),
    Protected("Prune", "common.criterion", "any", "it decides what is removed"),
    Protected("Prune", "common.targets", "any", "it decides what is removed"),
    Protected("Prune", "common.rho_counts", "any", "it decides how much is removed"),
    Protected("Prune", "common.multiple", "more", _SMALLER),
    Protected("Prune", "tasks.*.rho", "less", _SMALLER),
    Protected("Ablation", "tasks.*.base", "any", "another base answers another question"),
    Protected("Ablation", "tasks.*.variants", "lost", "evidence with fewer variants is less"),
    Protected("*", "tasks.*.on_failure", "weaker", "a missed line has no consequence"),
)
"""Every protected value. Epochs and patience are not protected: more training is no loosening."""


@dataclass(frozen=True, slots=True)
class ProtectedValue:
    """A protected value as a spec file has it.

    Attributes:
        file: the file under its usual name, e.g. `specs/v1/prune.yaml`.
        key: its dotted key below `spec`; of a task without the leading `tasks.`.
        value: what decides of it, as plain JSON.
        rule: its entry in the table.
    """

    file: str
    key: str
    value: Any
    rule: Protected

    @property
    def address(self) -> str:
        """`specs/v1/prune.yaml: P-2.rho`, as reports and waivers name it."""
        return f"{self.file}: {self.key}"

    @property
    def task(self) -> str:
        """The task whose own value it is; empty for a value that tasks share."""
        return self.key.partition(".")[0] if self.rule.key.startswith("tasks.") else ""

    def is_within(self, limit: Any) -> bool:
        """Whether the value is a limit, or makes passing harder than the limit does."""
        return self.value == limit or direction(self.rule.way, limit, self.value) == "harder"


def file_name(file: SpecFile) -> str:
    """The usual name of a file of this kind, wherever it is: `specs/v1/prune.yaml`."""
    kind = type(file).__name__
    if kind == "Profile":
        return f"specs/profiles/{file.metadata.name}.yaml"
    return f"specs/v1/{kind.lower()}.yaml"


def protected_values(files: Mapping[str, SpecFile]) -> dict[str, ProtectedValue]:
    """The protected values of spec files, by address.

    Args:
        files: the files as models, by any name.
    """
    return {value.address: value for file in files.values() for value in _of_file(file)}


def _of_file(file: SpecFile) -> Iterator[ProtectedValue]:
    spec: Any = getattr(file, "spec", None)
    for rule in TABLE:
        if not fnmatchcase(type(file).__name__, rule.kind):
            continue
        if rule.key.startswith("tasks."):
            field = rule.key.rpartition(".")[2]
            for task_id, task in getattr(spec, "tasks", {}).items():
                if field in type(task).model_fields:
                    value = decisive(getattr(task, field))
                    yield ProtectedValue(file_name(file), f"{task_id}.{field}", value, rule)
        else:
            yield ProtectedValue(file_name(file), rule.key, decisive(_at(spec, rule.key)), rule)


def _at(spec: Any, key: str) -> Any:
    for part in key.split("."):
        spec = None if spec is None else getattr(spec, part)
    return spec


def direction(way: Way, was: Any, is_: Any) -> Direction:
    """Whether the change of a protected value makes passing easier.

    Args:
        way: the change that does.
        was: the value before, as plain JSON.
        is_: another value after.
    """
    if _supplies(was, is_):
        return "other"
    if _is(way, was, is_):
        return "easier"
    return "harder" if _is(_CONTRARY.get(way, "any"), was, is_) else "other"


_SUPPLIED = frozenset({"sha256", "pairs", "scenes"})


def _supplies(was: Any, is_: Any) -> bool:
    """Whether a change only writes what the user supplies where nothing was agreed: hashes, counts
    and scenes that were null. No profile runs before."""
    if not (isinstance(was, Mapping) and isinstance(is_, Mapping) and was.keys() == is_.keys()):
        return False
    changed = [key for key in was if was[key] != is_[key]]
    return bool(changed) and all(
        _supplies(was[key], is_[key]) or (key in _SUPPLIED and was[key] is None) for key in changed
    )


_CONTRARY: dict[Way, Way] = {
    "less": "more",
    "more": "less",
    "true": "false",
    "false": "true",
    "gained": "lost",
    "lost": "gained",
}


def _is(way: Way, was: Any, is_: Any) -> bool:
    """Whether a change has a way; a change from or to null cannot be compared, and has all."""
    if was is None or is_ is None:
        return True
    match way:
        case "any":
            return True
        case "less":
            return bool(is_ < was)
        case "more":
            return bool(is_ > was)
        case "true" | "false":
            return bool(is_) == (way == "true")
        case "gained":
            return any(member not in was for member in is_)
        case "lost":
            return any(member not in is_ for member in was)
        case "weaker":
            # Another task that takes over is another way to pass.
            return is_weaker(is_, was) or (isinstance(was, Mapping) and isinstance(is_, Mapping))
