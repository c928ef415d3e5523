"""The origin of a quantized graph: the experiments in its metadata."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dust_core.declared.records import record_parameters
from dust_core.declared.specs.names import KEEP_FAMILIES, parse_exp_id
from dust_core.errors import DustError

if TYPE_CHECKING:
    import onnx_ir as ir

_EXP_ID, _BUILT_ON = "dust.exp_id", "dust.built_on"


@dataclass(frozen=True)
class Origin:
    """The experiment that made a graph, and those whose parameters it uses."""

    exp_id: str
    built_on: tuple[str, ...] = ()

    @classmethod
    def of(cls, model: "ir.Model") -> "Origin | None":
        """The origin in a graph's metadata; None if they have none."""
        values = model.metadata_props
        if not {_EXP_ID, _BUILT_ON} <= values.keys():
            return None
        return cls(values[_EXP_ID], tuple(values[_BUILT_ON].split()))

    def write(self, model: "ir.Model") -> None:
        """Write this into the graph's metadata."""
        model.metadata_props.update({_EXP_ID: self.exp_id, _BUILT_ON: " ".join(self.built_on)})

    @property
    def keep_list(self) -> tuple[str, ...]:
        """The families that these experiments keep in float; all if they name none."""
        try:
            names = [parse_exp_id(name) for name in (self.exp_id, *self.built_on)]
            keep_list = record_parameters(*names)["keep_list"]
        except (ValueError, DustError):
            keep_list = None
        return KEEP_FAMILIES if keep_list is None else keep_list
