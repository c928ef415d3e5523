"""The allowed values of parameters, and their standard values."""

from dataclasses import dataclass
from typing import Literal

KlForm = Literal["radial_laplace", "conf_softmax", "correlation", "attention"]
Calibrator = Literal["max", "percentile", "mse"]
Criterion = Literal["l1", "l2", "taylor"]
KeepFamily = Literal[
    "layernorm", "softmax", "attn_scale", "rope", "postprocess", "patch_embed", "head_last"
]

STAGES = {"P0": "P0", "K": "P1", "Q": "P2", "KQ": "P3", "P": "P4", "ABL": "P5"}
"""The phase of each stage: `nox -s p1` runs the tasks `K-...`."""

KEEP_CODES: dict[KeepFamily, str] = {
    "layernorm": "LN",
    "softmax": "SM",
    "attn_scale": "AS",
    "rope": "RP",
    "postprocess": "PP",
    "patch_embed": "PE",
    "head_last": "HL",
}
KEEP_FAMILIES: tuple[KeepFamily, ...] = tuple(KEEP_CODES)
STANDARD_KEEP: tuple[KeepFamily, ...] = (
    "layernorm",
    "softmax",
    "attn_scale",
    "rope",
    "postprocess",
)
KL_CODES: dict[KlForm, str] = {"conf_softmax": "conf", "correlation": "corr", "attention": "attn"}

BASE = "base"
"""The name of what an ablation's variants are based on, beside their own names."""

STANDARD_CALIBRATION = 512
STANDARD_CALIBRATOR: Calibrator = "percentile"
STANDARD_KL: KlForm = "radial_laplace"
STANDARD_CRITERION: Criterion = "l1"


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A weight that changes once, to `to`, when the fraction `after` of the epochs is done."""

    to: float
    after: float


STANDARD_SCHEDULE = Schedule(to=0.7, after=0.7)


def decimal_code(value: float, places: int = 1) -> str:
    """A number in [0, 10) without its point: 0.5 is `05`; with two places, 0.1 is `010`."""
    whole, _, fraction = f"{value:.6f}".partition(".")
    return whole + fraction.rstrip("0").ljust(places, "0")


def decimal_value(code: str) -> float:
    """The inverse of `decimal_code`: its digits, the first before the point."""
    return float(f"{code[0]}.{code[1:]}")


def temperature_code(value: float) -> str:
    """`3` for 3.0, `2p5` for 2.5."""
    return f"{value:.6f}".rstrip("0").rstrip(".").replace(".", "p")


def temperature_value(code: str) -> float:
    """The inverse of `temperature_code`."""
    return float(code.replace("p", "."))
