"""Quantizers in a tiny network: where they are, what they keep, what is exported."""

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from tiny_networks import DPT, EVERY, LINEAR, images, make, policy, run
from torch import nn

from dust_compress.quantize.bias import correct_biases
from dust_compress.quantize.checkpoint import load_quantized, save_quantized
from dust_compress.quantize.export import export_int8, read_origin
from dust_compress.quantize.families import kept_modules, quantized_modules
from dust_compress.quantize.network import (
    quantize,
    quantizers,
    quantizers_off,
    range_of_least_error,
    ranges,
)
from dust_compress.quantize.origin import Origin
from dust_compress.quantize.smoothing import smooth
from dust_core.errors import DustError
from dust_core.network.model import Dust3r, Dust3rConfig
from dust_core.network.onnx.export import export_onnx


def test_the_standard_list_keeps_patches_and_the_last_layers_of_the_heads() -> None:
    kept = kept_modules(make(), EVERY)
    assert kept == {"patch_embed.proj", "downstream_head1.proj", "downstream_head2.proj"}
    last = kept_modules(make(DPT), ("head_last",))
    assert last == {"downstream_head1.dpt.head.4", "downstream_head2.dpt.head.4"}


def test_every_other_product_is_quantized() -> None:
    network = make()
    products = {n for n, m in network.named_modules() if isinstance(m, nn.Linear | nn.Conv2d)}
    assert set(quantized_modules(network, EVERY)) == products - kept_modules(network, EVERY)


def test_a_name_that_is_no_family_is_an_error() -> None:
    with pytest.raises(DustError, match="'layernrm' is not a family"):
        kept_modules(make(), ("layernrm",))


@pytest.mark.parametrize("calibrator", ["max", "percentile", "mse"])
def test_quantizing_moves_the_prediction_a_little_and_off_not_at_all(calibrator: str) -> None:
    network, plain = make(), make()
    with torch.no_grad():
        quantize(network, policy(calibrator=calibrator), run)
        reference, moved = plain(*images()), network(*images())
        with quantizers_off(network):
            off = network(*images())
    for a, b, c in zip(reference, moved, off, strict=True):
        assert torch.equal(a, c)
        assert 0 < float((a - b).norm() / a.norm()) < 0.05
    amax = ranges(network)
    assert len(amax) == 2 * len(quantized_modules(plain, EVERY))
    assert amax["enc_blocks.0.attn.qkv.weight_quantizer"].shape == (3 * 32, 1)
    assert amax["enc_blocks.0.attn.qkv.input_quantizer"].numel() == 1


@pytest.mark.parametrize("bits", [3, 8])
def test_the_range_of_least_error_beats_its_neighbours_by_hand(bits: int) -> None:
    values = torch.randn(20_000, generator=torch.Generator().manual_seed(0)).abs()
    steps = 2 ** (bits - 1) - 1

    def error(amax: float) -> float:
        scale = amax / steps
        return float(((values / scale).round().clamp(max=steps) * scale - values).square().mean())

    counts = torch.histc(values, 2048, 0, float(values.max()))
    best = float(range_of_least_error(counts, torch.linspace(0, float(values.max()), 2049), steps))
    assert error(best) <= min(error(best * factor) for factor in (0.8, 0.9, 1.1, 1.25))


@pytest.mark.parametrize("config", [LINEAR, DPT])
def test_corrected_biases_take_off_the_mean_error_of_every_layer(config: Dust3rConfig) -> None:
    plain, network = make(config), make(config)
    quantize(network, policy(keep_list=EVERY[:5], calibrator="max"), run)
    # A range far too narrow clips, and so moves the mean.
    clipped = network.get_submodule("enc_blocks.0.mlp.fc1")
    clipped.input_quantizer.amax = clipped.input_quantizer.amax / 4  # type: ignore[union-attr]
    before = mean_errors(network, plain)
    correct_biases(network, run)
    after = mean_errors(network, plain)
    assert before["enc_blocks.0.mlp.fc1"] > 1e-3
    assert before.keys() == set(quantized_modules(plain, EVERY[:5]))
    for name, error in after.items():
        has_bias = plain.get_submodule(name).bias is not None
        assert error <= (1e-5 if has_bias else before[name]), name


def mean_errors(network: Dust3r, plain: Dust3r) -> dict[str, float]:
    """By layer, the largest mean error of a channel on the float network's inputs."""
    seen: dict[str, list[tuple[torch.Tensor, torch.Tensor]]] = {}

    def note(name: str) -> Callable[..., None]:
        return lambda _, inputs, output: seen.setdefault(name, []).append((inputs[0], output))

    names = quantized_modules(plain, EVERY[:5])
    hooks = [plain.get_submodule(name).register_forward_hook(note(name)) for name in names]
    with torch.no_grad():
        run(plain)
        largest = {}
        for name, pairs in seen.items():
            layer = network.get_submodule(name)
            errors = torch.cat(
                [
                    (layer(x) - y).movedim(-1 if isinstance(layer, nn.Linear) else 1, 0).flatten(1)
                    for x, y in pairs
                ],
                1,
            )
            largest[name] = float(errors.mean(1).abs().max())
    for hook in hooks:
        hook.remove()
    return largest


def test_smoothing_changes_no_output_and_evens_out_channels() -> None:
    network = make()
    with torch.no_grad():
        network.enc_blocks[0].norm1.weight[3] *= 50
        before = copy.deepcopy(network)
        smooth(network, 0.5, run)
        for a, b in zip(before(*images()), network(*images()), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
    ratio = before.enc_blocks[0].norm1.weight[3] / network.enc_blocks[0].norm1.weight[3]
    assert float(ratio.detach()) > 5


def test_the_graph_holds_int8_weights_and_no_bias_is_quantized(tmp_path: Path) -> None:
    network, path = make(), tmp_path / "int8.onnx"
    with torch.no_grad():
        quantize(network, policy(), run)
    export_int8(network, path, Origin("Q_PTQ_keepLN_run1"), height=64, width=64)
    graph = onnx.load(path).graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    readers = {name: node for node in graph.node for name in node.input}
    matrices = [
        node for node in graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] in constants
    ]  # fmt: skip
    # Both views read the layer that embeds tokens for the decoders; q, k and v are apart.
    modules = quantized_modules(make(), EVERY)
    assert len(matrices) == len(modules) + 1 + 2 * sum(name.endswith("qkv") for name in modules)
    for node in matrices:
        values = constants[node.input[0]]
        assert values.dtype == np.int8 and values.ndim == 2
        assert not constants[node.input[2]].any()
        axis = node.attribute[0].i
        assert len(constants[node.input[1]]) == values.shape[axis]
        assert readers[node.output[0]].op_type in ("MatMul", "Gemm")


def test_a_graph_is_of_the_opset_that_is_asked_for(tmp_path: Path) -> None:
    network, path = make(), tmp_path / "int8.onnx"
    with torch.no_grad():
        quantize(network, policy(), run)
    export_int8(network, path, Origin("Q_PTQ_keepLN_run1"), height=64, width=64, opset=18)
    assert [(entry.domain, entry.version) for entry in onnx.load(path).opset_import] == [("", 18)]


def test_another_graph_is_told_from_ours(tmp_path: Path) -> None:
    path = tmp_path / "other.onnx"
    path.write_bytes(b"\x08\x07")
    with pytest.raises(DustError, match="this is no ONNX graph"):
        read_origin(path)
    export_onnx(make(), path, height=64, width=64)
    with pytest.raises(DustError, match="not a graph that a task exported"):
        read_origin(path)


@pytest.mark.parametrize(
    ("part", "changes", "message"),
    [
        ("weights", {"bits": 4}, "weights of 4 bits per_channel"),
        ("weights", {"granularity": "per_tensor"}, "weights of 8 bits per_tensor"),
        ("activations", {"bits": 16}, "activations of 16 bits per_tensor"),
        ("activations", {"granularity": "per_channel"}, "activations of 8 bits per_channel"),
    ],
)
def test_what_graphs_cannot_hold_is_refused(
    part: str, changes: dict[str, object], message: str
) -> None:
    declared = getattr(policy(), part).model_copy(update=changes)
    with pytest.raises(DustError, match=f"{message} cannot be quantized"):
        quantize(make(), policy().model_copy(update={part: declared}), run)


def test_a_narrower_percentile_gives_narrower_ranges_of_activations_alone() -> None:
    wide, narrow = make(), make()
    with torch.no_grad():
        quantize(wide, policy(percentile=100), run)
        quantize(narrow, policy(percentile=99), run)
    layer, amax, less = "enc_blocks.0.mlp.fc1", ranges(wide), ranges(narrow)
    assert less[f"{layer}.input_quantizer"] < 0.95 * amax[f"{layer}.input_quantizer"]
    assert torch.equal(less[f"{layer}.weight_quantizer"], amax[f"{layer}.weight_quantizer"])


def test_a_quantized_checkpoint_comes_back_bit_for_bit(tmp_path: Path) -> None:
    network, path = make(), tmp_path / "quant_ckpt.pth"
    with torch.no_grad():
        quantize(network, policy(), run)
        save_quantized(network, path, policy(), exp_id="Q_PTQ_keepLN_run1", spec_digest="0" * 64)
        loaded = load_quantized(path)
        for a, b in zip(network(*images()), loaded.network(*images()), strict=True):
            assert torch.equal(a, b)
    assert loaded.exp_id == "Q_PTQ_keepLN_run1"
    assert loaded.policy == policy()
    assert len(quantizers(loaded.network)) == len(quantizers(network))


@pytest.mark.parametrize("spoil", ["format", "ranges", "policy", "truncate"])
def test_a_damaged_quantized_checkpoint_is_one_clear_error(tmp_path: Path, spoil: str) -> None:
    network, path = make(), tmp_path / "quant_ckpt.pth"
    with torch.no_grad():
        quantize(network, policy(), run)
    save_quantized(network, path, policy(), exp_id=None, spec_digest=None)
    if spoil == "truncate":
        path.write_bytes(path.read_bytes()[:1000])
    else:
        content = torch.load(path, weights_only=True)  # noqa: TID251
        content[spoil] = "nothing of the kind" if spoil == "format" else {"a": torch.zeros(1)}
        torch.save(content, path)
    with pytest.raises(DustError) as caught:
        load_quantized(path)
    assert str(path) in str(caught.value)
