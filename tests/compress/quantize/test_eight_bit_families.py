"""What a policy may ask for beyond linear layers, and the graphs that come of it."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from tiny_networks import DPT, images, make, policy, run, without

from dust_compress.engine.half import write_half
from dust_compress.quantize.checkpoint import load_quantized, save_quantized
from dust_compress.quantize.export import export_int8, read_origin
from dust_compress.quantize.network import quantize, quantizers
from dust_compress.quantize.origin import Origin
from dust_compress.quantize.rules import RULES
from dust_core.declared.checks.subjects import Graph
from dust_core.errors import DustError
from dust_core.network.onnx.export import export_onnx

PRODUCTS = {"attention_products": True}
LESS_KEPT = {"keep_list": without("patch_embed", "head_last")}
NOTHING_KEPT = PRODUCTS | {
    "keep_list": without("layernorm", "softmax", "patch_embed", "head_last"),
}


@pytest.mark.parametrize(
    ("family", "message"),
    [
        ("attn_scale", "attn_scale cannot be quantized: it is a multiplication by one number"),
        ("rope", "rope cannot be quantized: it is a rotation"),
        ("postprocess", "postprocess cannot be quantized: it is exponentials"),
    ],
)
def test_what_eight_bits_cannot_serve_has_to_be_on_the_list(family: str, message: str) -> None:
    with pytest.raises(DustError, match=message):
        quantize(make(), policy(keep_list=without(family)), run)


@pytest.mark.parametrize("changes", [{}, PRODUCTS, LESS_KEPT, NOTHING_KEPT])
def test_the_graph_computes_what_the_fake_quantizers_do(
    changes: dict[str, object], tmp_path: Path
) -> None:
    network, path = make(), tmp_path / "int8.onnx"
    with torch.no_grad():
        quantize(network, policy(**changes), run)
        expected = network(*images())
    origin = Origin("KQ_INT8_run1", ("K_T3B05_run1", "Q_PTQ_keepnoLNnoSM-attn8_run1"))
    export_int8(network, path, origin, height=64, width=64)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(path), options)
    outputs = session.run(
        None, dict(zip(("image1", "image2"), map(np.asarray, images()), strict=True))
    )
    for a, b in zip(map(np.asarray, expected), outputs, strict=True):
        # Where float sums round to the other side, one step of a quantizer, and what follows.
        assert np.isclose(a, b, rtol=2e-2, atol=2e-3).mean() > 0.97
        assert np.linalg.norm(a - b) < 0.01 * np.linalg.norm(a)
    assert read_origin(path) == origin
    assert [finding.found for rule in RULES for finding in rule.check(Graph(path.name, path))] == []


def test_both_products_of_every_attention_are_quantized(tmp_path: Path) -> None:
    network, path = make(), tmp_path / "int8.onnx"
    with torch.no_grad():
        quantize(network, policy(**PRODUCTS), run)
        with_products = network(*images())
        names = {name.rpartition(".")[2] for name in quantizers(network) if ".attend." in name}
        assert names == {f"{n}_quantizer" for n in ("query", "key", "weights", "value")}
        for name, quantizer in quantizers(network).items():
            if ".attend." in name:
                assert 0 < float(quantizer.amax) < 50
                quantizer.disable()
        assert float((network(*images())[0] - with_products[0]).norm()) > 0
        for name, quantizer in quantizers(network).items():
            if ".attend." in name:
                quantizer.enable()
    export_int8(network, path, Origin("Q_PTQ_keepLNPEHL-attn8_run1"), height=64, width=64)
    kinds = product_inputs(onnx.load(path).graph)
    # Two encoder blocks on both views at once; two decoders of two blocks with two attentions.
    assert kinds.count(("activation", "activation")) == 2 * (2 + 2 * 2 * 2)
    assert kinds.count(("float", "weight")) == 1 + 2 * 4, "patches and two heads are kept"
    assert not [kind for kind in kinds if "float" in kind and kind != ("float", "weight")]


@pytest.mark.parametrize(
    ("family", "quantizer", "operator"),
    [
        ("layernorm", "input_quantizer", "LayerNormalization"),
        ("softmax", "scores_quantizer", "Softmax"),
    ],
)
def test_a_family_off_the_list_reads_eight_bits(
    family: str, quantizer: str, operator: str, tmp_path: Path
) -> None:
    network, kept, path = make(), make(), tmp_path / "int8.onnx"
    with torch.no_grad():
        quantize(network, policy(keep_list=without(family)), run)
        quantize(kept, policy(), run)
        assert float((network(*images())[0] - kept(*images())[0]).norm()) > 0
    more = quantizers(network).keys() - quantizers(kept).keys()
    assert {name.rpartition(".")[2] for name in more} == {quantizer}
    code = {"layernorm": "PEHLnoLN", "softmax": "LNPEHLnoSM"}[family]
    export_int8(network, path, Origin(f"Q_PTQ_keep{code}_run1"), height=64, width=64)
    graph = onnx.load(path).graph
    writers = {name: node.op_type for node in graph.node for name in node.output}
    read = {writers[node.input[0]] for node in graph.node if node.op_type == operator}
    assert read == {"DequantizeLinear"}
    rule = next(rule for rule in RULES if rule.id == "QDQ009")
    assert list(rule.check(Graph(path.name, path))) == []
    model = onnx.load(path)
    del model.metadata_props[:]
    unnamed = tmp_path / "quantized.onnx"
    onnx.save(model, unnamed)
    assert {finding.rule for finding in rule.check(Graph(unnamed.name, unnamed))} == {"QDQ009"}


def test_patches_in_eight_bits_are_a_product_with_quantizers_at_both_inputs(
    tmp_path: Path,
) -> None:
    network, path = make(), tmp_path / "int8.onnx"
    with torch.no_grad():
        quantize(network, policy(**LESS_KEPT), run)
    export_int8(network, path, Origin("Q_PTQ_keepLN_run1"), height=64, width=64)
    graph = onnx.load(path).graph
    assert "Conv" not in {node.op_type for node in graph.node}
    kinds = product_inputs(graph)
    assert len(kinds) - kinds.count(("float", "float")) == kinds.count(("activation", "weight"))


def product_inputs(graph: onnx.GraphProto) -> list[tuple[str, str]]:
    """What each product reads: float, a dequantized activation, or a weight."""
    writers = {name: node for node in graph.node for name in node.output}
    weights = {tensor.name for tensor in graph.initializer}

    def kind(name: str) -> str:
        node = writers.get(name)
        if name in weights or (node is not None and node.input[0] in weights):
            return "weight"
        return "activation" if node is not None and node.op_type == "DequantizeLinear" else "float"

    products = (node for node in graph.node if node.op_type in ("MatMul", "Gemm", "Conv"))
    return [(kind(product.input[0]), kind(product.input[1])) for product in products]


def test_the_half_variant_of_a_dense_head_keeps_the_scales_of_resizing(tmp_path: Path) -> None:
    network, graph, half = make(DPT), tmp_path / "float.onnx", tmp_path / "half.onnx"
    export_onnx(network, graph, height=64, width=64)
    write_half(graph, half)
    session = onnxruntime.InferenceSession(str(half))
    outputs = session.run(
        None, dict(zip(("image1", "image2"), map(np.asarray, images()), strict=True))
    )
    with torch.no_grad():
        expected = network(*images())
    for a, b in zip(map(np.asarray, expected), outputs, strict=True):
        assert np.linalg.norm(a - b) < 0.01 * np.linalg.norm(a)


def test_the_half_variant_and_the_checkpoint_know_the_quantizers_of_attention(
    tmp_path: Path,
) -> None:
    network, path = make(), tmp_path / "quant_ckpt.pth"
    with torch.no_grad():
        quantize(network, policy(**NOTHING_KEPT), run)
        save_quantized(network, path, policy(**NOTHING_KEPT), exp_id=None, spec_digest=None)
        again = load_quantized(path).network
        expected = network(*images())
        for a, b in zip(expected, again(*images()), strict=True):
            assert torch.equal(a, b)
    graph, half = tmp_path / "int8.onnx", tmp_path / "half.onnx"
    export_int8(again, graph, Origin("Q_PTQ_keepLN_run1"), height=64, width=64)
    write_half(graph, half)
    session = onnxruntime.InferenceSession(str(half))
    outputs = session.run(
        None, dict(zip(("image1", "image2"), map(np.asarray, images()), strict=True))
    )
    for a, b in zip(map(np.asarray, expected), outputs, strict=True):
        assert np.linalg.norm(a - b) < 0.05 * np.linalg.norm(a)
