"""What a quantized graph says of itself: the experiments that it comes from."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dust_core.declared.records import record_parameters
from dust_core.declared.specs.names import KEEP_FAMILIES, parse_exp_id

if TYPE_CHECKING:
    from onnx import ModelProto, StringStringEntryProto

_EXP_ID, _BUILT_ON = "dust.exp_id", "dust.built_on"


@dataclass(frozen=True)
class Origin:
    """The experiment that made a graph, and those whose parameters it takes over."""

    exp_id: str
    built_on: tuple[str, ...] = ()

    @classmethod
    def of(cls, metadata: "Iterable[StringStringEntryProto]") -> "Origin | None":
        """What a graph's metadata say; None where they say nothing."""
        values = {one.key: one.value for one in metadata}
        if not {_EXP_ID, _BUILT_ON} <= values.keys():
            return None
        return cls(values[_EXP_ID], tuple(values[_BUILT_ON].split()))

    def write(self, model: "ModelProto") -> None:
        """Make this the graph's metadata."""
        from onnx import helper

        properties = {_EXP_ID: self.exp_id, _BUILT_ON: " ".join(self.built_on)}
        helper.set_model_props(model, properties)

    @property
    def keep_list(self) -> tuple[str, ...]:
        """The families that these experiments keep in float; every one if they do not say."""
        try:
            names = [parse_exp_id(one) for one in (self.exp_id, *self.built_on)]
            found = record_parameters(*names)["keep_list"]
        except ValueError:
            found = None
        return KEEP_FAMILIES if found is None else found
