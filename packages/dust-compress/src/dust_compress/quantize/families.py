"""The families of operators in a keep-list, and their modules in a network."""

from collections.abc import Iterable

from torch import nn

from dust_core.declared.specs.models.quant import Policy
from dust_core.declared.specs.names import KEEP_FAMILIES
from dust_core.declared.specs.names.vocabulary import KeepFamily
from dust_core.errors import DustError
from dust_core.network.model import Dust3r
from dust_core.network.model.blocks import CrossAttention, SelfAttention

_CONVERTIBLE = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
# These are not products, and no runtime computes them in eight bits: quantizers there would round
# and save nothing.
_ALWAYS_FLOAT: dict[KeepFamily, str] = {
    "attn_scale": "a multiplication by one number, which runtimes fold into the product",
    "rope": "a rotation of a product's output, with no weights to shrink",
    "postprocess": "exponentials, of which a step of eight bits moves a point by several percent",
}


def members(network: Dust3r, family: KeepFamily) -> tuple[str, ...]:
    """The modules, by name, in which a family's operators run; empty if it has none."""
    heads = ("downstream_head1", "downstream_head2")
    named = dict(network.named_modules())
    match family:
        case "layernorm":
            return tuple(name for name, module in named.items() if isinstance(module, nn.LayerNorm))
        case "softmax" | "attn_scale" | "rope":
            attention = (SelfAttention, CrossAttention)
            return tuple(name for name, module in named.items() if isinstance(module, attention))
        case "postprocess":
            return heads
        case "patch_embed":
            return ("patch_embed.proj",)
        case "head_last":
            # The last layer of each head, linear or convolution, in the order of the modules.
            return tuple(
                [n for n, module in named.items() if n.startswith(head) and _is_product(module)][-1]
                for head in heads
            )


def kept_modules(network: Dust3r, keep_list: Iterable[str]) -> frozenset[str]:
    """The products that a keep-list leaves in float.

    Raises:
        DustError: a name is not a family, or matches nothing in this network.
    """
    kept: set[str] = set()
    for family in keep_list:
        if family not in KEEP_FAMILIES:
            raise DustError(
                f"{family!r} is not a family of operators",
                where="keep_list",
                fix=f"choose among {', '.join(KEEP_FAMILIES)}",
            )
        modules = members(network, family)
        if not modules:
            raise DustError(
                f"the family {family} matches nothing in this network",
                where="keep_list",
                fix="remove it from the list: a name without effect hides a mistake",
            )
        kept |= {name for name in modules if _is_product(network.get_submodule(name))}
    return frozenset(kept)


def require_quantizable(policy: Policy) -> None:
    """Refuse a keep-list that lacks a family without an eight-bit form.

    Raises:
        DustError: such a family is not on the list.
    """
    for family, reason in _ALWAYS_FLOAT.items():
        if family not in policy.keep_list:
            raise DustError(
                f"{family} cannot be quantized: it is {reason}",
                where="keep_list",
                fix=f"put {family} on the list: the record must name everything in float",
            )


def quantized_modules(network: Dust3r, keep_list: Iterable[str]) -> tuple[str, ...]:
    """The linear layers and convolutions that are quantized, by name, in order.

    Raises:
        DustError: see `kept_modules`; or no layer remains to quantize.
    """
    kept = kept_modules(network, keep_list)
    unused = _unused(network)
    chosen = tuple(
        name
        for name, module in network.named_modules()
        if _is_product(module) and name not in kept and name not in unused
    )
    if not chosen:
        raise DustError("the keep-list covers every layer", where="keep_list")
    return chosen


def _unused(network: Dust3r) -> frozenset[str]:
    """Published layers whose output no head reads; without input they have no range."""
    return frozenset(
        name for name, _ in network.named_modules() if ".refinenet4.resConfUnit1." in name
    )


def _is_product(module: nn.Module) -> bool:
    return isinstance(module, _CONVERTIBLE)
