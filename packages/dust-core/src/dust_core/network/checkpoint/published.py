"""The description of a network that published checkpoints carry: a Python call, in text."""

import ast
import re
from reprlib import repr as repr_bounded
from typing import Any

from torch import Tensor

from dust_core.network.model import Dust3rConfig

_MOST_LETTERS = 10_000
_CLASSES = ("AsymmetricCroCo3DStereo", "AsymmetricMASt3R")
_LAYER_ALIAS = re.compile(r"\.scratch\.layer_rn\.\d\.weight$")


def config_from_call(text: str) -> Dust3rConfig:
    """Read `AsymmetricCroCo3DStereo(enc_embed_dim=1024, ...)` without evaluating it.

    Raises:
        ValueError: the text is no such call, or describes another network than DUSt3R.
    """
    if len(text) > _MOST_LETTERS:
        raise ValueError(f"the model's description has {len(text):,} letters")
    try:
        call = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"the model's description is not a call: {text[:80]!r}") from error
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)) or call.args:
        raise ValueError(f"the model's description is not a call of keywords: {text[:80]!r}")
    if call.func.id != _CLASSES[0]:
        raise ValueError(f"the model is a {call.func.id[:80]}, only {_CLASSES[0]} is supported")
    values = {word.arg: _literal(word.value) for word in call.keywords if word.arg is not None}
    return config_from_values(values)


def config_from_values(values: dict[str, Any]) -> Dust3rConfig:
    """The keywords of a published model, as its checkpoint or its config.json gives them.

    Raises:
        ValueError: a value is absent or describes something else than DUSt3R.
    """
    for name, expected in _FIXED.items():
        value = values.get(name, expected)
        if value != expected and not (isinstance(value, list) and tuple(value) == expected):
            raise ValueError(f"{name} is {repr_bounded(value)}, only {expected!r} is supported")
    head = values.get("head_type", "linear")
    if head not in ("linear", "dpt"):
        raise ValueError(f"head_type is {repr_bounded(head)}, must be 'linear' or 'dpt'")
    try:
        sizes = {ours: _positive(theirs, values[theirs]) for ours, theirs in _SIZES.items()}
    except KeyError as error:
        raise ValueError(f"{error.args[0]} is absent from the model's description") from error
    for side in ("enc", "dec"):
        if sizes[f"{side}_dim"] % sizes[f"{side}_heads"]:
            raise ValueError(
                f"{sizes[f'{side}_heads']} heads do not divide {sizes[f'{side}_dim']} channels"
            )
    return Dust3rConfig.uniform(
        enc_dim=sizes["enc_dim"],
        enc_depth=sizes["enc_depth"],
        enc_heads=sizes["enc_heads"],
        dec_dim=sizes["dec_dim"],
        dec_depth=sizes["dec_depth"],
        dec_heads=sizes["dec_heads"],
        head=head,
    )


def without_aliases(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Drop `scratch.layer_rn.I`, second names of `scratch.layer{I+1}_rn`."""
    return {key: value for key, value in weights.items() if not _LAYER_ALIAS.search(key)}


_SIZES = {
    "enc_dim": "enc_embed_dim",
    "enc_depth": "enc_depth",
    "enc_heads": "enc_num_heads",
    "dec_dim": "dec_embed_dim",
    "dec_depth": "dec_depth",
    "dec_heads": "dec_num_heads",
}
_INF = float("inf")
_FIXED: dict[str, Any] = {
    "pos_embed": "RoPE100",
    "output_mode": "pts3d",
    "depth_mode": ("exp", -_INF, _INF),
    "conf_mode": ("exp", 1, _INF),
}


def _positive(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= 65_536:
        raise ValueError(f"{name} is {repr_bounded(value)}, must be a whole number from 1 to 65536")
    return value


def _literal(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id="inf"):
            return _INF
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            value = _literal(operand)
            if isinstance(value, int | float):
                return -value
        case ast.Tuple(elts=items) | ast.List(elts=items):
            return tuple(_literal(item) for item in items)
    raise ValueError(f"the model's description holds code: {ast.unparse(node)[:80]!r}")
