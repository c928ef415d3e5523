"""Fake quantizers in a network: their places and their ranges.

NVIDIA's modelopt (0.47) supplies the quantizers; the policy decides which layers have them.
"""

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

import torch
from torch import Tensor, nn

from dust_compress.quantize.attention import quantize_attention
from dust_compress.quantize.families import members, quantized_modules, require_quantizable
from dust_compress.quantize.smoothing import smooth
from dust_core.declared.specs.models.quant import Activations, Policy, Weights
from dust_core.errors import DustError
from dust_core.network.model import Dust3r

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it warns of every optional package that is absent
    import modelopt.torch.quantization as mtq
    from modelopt.torch.quantization.model_calib import (
        enable_stats_collection,
    )
    from modelopt.torch.quantization.nn import TensorQuantizer

Run = Callable[[nn.Module], None]
_OF_WEIGHTS = ".weight_quantizer"


def quantize(network: Dust3r, policy: Policy, run: Run) -> None:
    """Put calibrated W8A8 fake quantizers into the network, in place.

    Weights get a scale for each output channel, activations one for the tensor; both are symmetric
    with zero point 0. The inputs of attention's products and of families without weights are
    quantized if the policy says so.

    Args:
        run: runs the network on the calibration images.

    Raises:
        DustError: a family of the keep-list matches nothing, a family without an eight-bit form
            is not on it, graphs do not support the bits or the granularity, or a layer had no
            finite value.
    """
    require_quantizable(policy)
    if policy.smoothing is not None:
        with torch.no_grad():
            smooth(network, policy.smoothing, run)
    insert_quantizers(network, policy)
    with torch.no_grad():
        enable_stats_collection(network)
        # The weights' ranges do not depend on the input.
        for name, quantizer in _enabled(network):
            if name.endswith(_OF_WEIGHTS):
                quantizer(network.get_submodule(name.removesuffix(_OF_WEIGHTS)).weight)
        run(network)
        _load_ranges(network, policy)
    _require_ranges(network)


def insert_quantizers(network: Dust3r, policy: Policy) -> None:
    """Put quantizers without ranges into the layers that the policy quantizes, in place."""
    activations = _attributes("activations", policy.activations)
    if policy.calibrator != "max":
        activations["calibrator"] = "histogram"
    weights = _attributes("weights", policy.weights)
    products = quantized_modules(network, policy.keep_list)
    norms = () if "layernorm" in policy.keep_list else members(network, "layernorm")
    rules: list[dict[str, Any]] = [
        {"quantizer_name": "*", "enable": False},
        *(_rule(f"{name}.weight_quantizer", weights) for name in products),
        *(_rule(f"{name}.input_quantizer", activations) for name in (*products, *norms)),
    ]
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # and it prints how many quantizers it has made
        mtq.quantize(network, {"quant_cfg": rules, "algorithm": None})
    softmax = "softmax" not in policy.keep_list
    if policy.attention_products or softmax:
        quantize_attention(
            network, activations, products=policy.attention_products, softmax=softmax
        )


def _attributes(what: str, declared: Weights | Activations) -> dict[str, Any]:
    """modelopt's attributes for the bits and the granularity of a policy."""
    axis: int | None
    match what, declared.bits, declared.granularity:
        case "weights", 8, "per_channel":
            axis = 0  # modelopt's view of a weight has output channels first
        case "activations", 8, "per_tensor":
            axis = None
        case _:
            raise DustError(
                f"{what} of {declared.bits} bits {declared.granularity} cannot be quantized",
                where=f"common.{what}",
                fix="graphs hold INT8: declare 8 bits, weights per_channel, activations per_tensor",
            )
    return {"num_bits": declared.bits, "axis": axis}


def _rule(quantizer: str, attributes: dict[str, Any]) -> dict[str, Any]:
    return {"quantizer_name": quantizer, "cfg": attributes, "enable": True}


@contextmanager
def quantizers_off(network: nn.Module) -> Iterator[None]:
    """A context in which the network computes in float."""
    active = [quantizer for quantizer in quantizers(network).values() if quantizer.is_enabled]
    for quantizer in active:
        quantizer.disable()
    try:
        yield
    finally:
        for quantizer in active:
            quantizer.enable()


def quantizers(network: nn.Module) -> dict[str, TensorQuantizer]:
    """Every quantizer that has a range, by name."""
    return {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, TensorQuantizer) and getattr(module, "_amax", None) is not None
    }


def ranges(network: nn.Module) -> dict[str, Tensor]:
    """The largest magnitude that each quantizer represents, by name."""
    return {
        name: quantizer.amax.detach().clone() for name, quantizer in quantizers(network).items()
    }


def set_ranges(network: nn.Module, stored: dict[str, Tensor]) -> None:
    """Set quantizers to ranges from `ranges`.

    Raises:
        ValueError: the ranges do not belong to this network's quantizers.
    """
    own = dict(_enabled(network))
    if own.keys() != stored.keys():
        odd = sorted(own.keys() ^ stored.keys())
        raise ValueError(f"ranges and quantizers do not match, as at {odd[0]}")
    for name, amax in stored.items():
        own[name].amax = amax


def _enabled(network: nn.Module) -> Iterator[tuple[str, TensorQuantizer]]:
    """Every quantizer that the policy asks for, with its name."""
    for name, module in network.named_modules():
        if isinstance(module, TensorQuantizer) and module.is_enabled:
            yield name, module


def _load_ranges(network: nn.Module, policy: Policy) -> None:
    """Compute ranges from the collected values, and enable the quantizers."""
    for name, quantizer in _enabled(network):
        match policy.calibrator:
            case "percentile" if not name.endswith(_OF_WEIGHTS):
                quantizer.load_calib_amax("percentile", percentile=policy.percentile)
            case "mse" if not name.endswith(_OF_WEIGHTS):
                calibrator = quantizer._calibrator
                quantizer.amax = range_of_least_error(
                    calibrator._calib_hist, calibrator._calib_bin_edges, quantizer.maxbound
                )
            case _:
                quantizer.load_calib_amax()
        quantizer.enable_quant()
        quantizer.disable_calib()


def range_of_least_error(counts: Tensor, edges: Tensor, steps: float) -> Tensor:
    """The range whose quantization of a histogram has the least squared error.

    modelopt 0.47 has a function for this, but it passes its arguments in the wrong order.

    Args:
        counts, edges: histogram of magnitudes, (N,) and (N + 1,), from 0 on.
        steps: quantization steps from 0 to the range, 127 for INT8.
    """
    centres = (edges[1:] + edges[:-1]) / 2
    ranges = edges[1:][max(1, len(centres) // 32) :]
    errors = []
    for candidates in ranges.split(256):
        scale = candidates[:, None] / steps
        represented = (centres / scale).round().clamp(max=steps) * scale
        errors.append(((represented - centres).square() * counts).sum(1))
    return ranges[torch.cat(errors).argmin()]


def _require_ranges(network: nn.Module) -> None:
    for name, quantizer in _enabled(network):
        amax = getattr(quantizer, "_amax", None)
        if amax is None or not bool(torch.isfinite(amax).all()) or not bool((amax > 0).all()):
            raise DustError(
                f"no range was found for {name.rpartition('.')[0]}: it saw no value, or none that "
                "is finite",
                fix="calibrate on images that exercise the whole network, and check the "
                "weights with `dust inspect`",
            )
