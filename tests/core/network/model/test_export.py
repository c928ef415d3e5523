from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dust_core.network.model import DptConfig, Dust3r, Dust3rConfig
from dust_core.network.model.named import CONFIGS
from dust_core.network.onnx.export import export_onnx
from dust_core.network.onnx.parts import write_parts

DPT = DptConfig(layer_dims=(8, 8, 16, 16), feature_dim=8, last_dim=4)


def largest_log_error(network: Dust3r, path: Path, size: int) -> float:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    first, second = torch.rand(2, 1, 3, size, size, generator=torch.Generator().manual_seed(0))
    outputs = session.run(None, {"image1": first.numpy(), "image2": second.numpy()})
    with torch.inference_mode():
        expected = network(first, second)
    assert [port.name for port in session.get_outputs()] == list(expected._fields)
    errors = []
    for computed, tensor in zip(outputs, expected, strict=True):
        true = tensor.numpy()
        if true.ndim == 4:
            computed, true = (1 + np.linalg.norm(x, axis=-1) for x in (computed, true))
        errors.append(np.abs(np.log(computed) - np.log(true)).max())
    return float(max(errors))


def test_small_is_static_opset_19_and_equal_to_torch(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network, path = Dust3r(CONFIGS["small"]).eval(), tmp_path / "small.onnx"
    export_onnx(network, path)
    graph = onnx.load(path)
    onnx.checker.check_model(graph)
    assert [(o.domain, o.version) for o in graph.opset_import] == [("", 19)]
    for port in graph.graph.input:
        assert [d.dim_value for d in port.type.tensor_type.shape.dim] == [1, 3, 512, 512]
    operators = {node.op_type for node in graph.graph.node}
    assert not operators & {"Sin", "Cos", "Shape", "If", "Loop", "NonZero"}, "not baked"
    assert "Conv" not in operators, "patches are embedded by a product"
    assert largest_log_error(network, path, 512) < 1e-4
    assert [p.name for p in tmp_path.iterdir()] == ["small.onnx"]


def test_encoder_and_decoder_apart_are_static_and_baked(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Dust3r(CONFIGS["tiny"]).train()
    whole, encoder, decoder = (
        tmp_path / f"{name}.onnx" for name in ("whole", "encoder", "decoder")
    )
    export_onnx(network, whole, height=64, width=96)
    assert network.training
    write_parts(whole, encoder, decoder)
    shapes = {}
    for path in (encoder, decoder):
        graph = onnx.load(path)
        onnx.checker.check_model(graph, full_check=True)
        assert not {node.op_type for node in graph.graph.node} & {"Sin", "Cos", "Shape", "Conv"}
        for port in (*graph.graph.input, *graph.graph.output):
            shapes[port.name] = [side.dim_value for side in port.type.tensor_type.shape.dim]
    assert shapes["image1"] == shapes["image2"] == [1, 3, 64, 96]
    assert shapes["features"] == [2, 6, 64]
    assert (shapes["pts3d_2"], shapes["conf_1"]) == ([1, 64, 96, 3], [1, 64, 96])
    assert encoder.stat().st_size + decoder.stat().st_size < 1.1 * whole.stat().st_size


@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    enc_heads=st.lists(st.integers(1, 3), min_size=1, max_size=2),
    dec_heads=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    ffn=st.integers(1, 40),
    head=st.sampled_from(["linear", "dpt"]),
    patch_size=st.sampled_from([16, 32]),
)
def test_any_legal_network_exports(
    enc_heads: list[int],
    dec_heads: list[int],
    ffn: int,
    head: str,
    patch_size: int,
    tmp_path: Path,
) -> None:
    if head == "dpt":
        patch_size = 16  # its levels are fractions of a 16-pixel patch
    config = Dust3rConfig(
        enc_dim=16,
        enc_heads=tuple(enc_heads),
        enc_ffn=(ffn,) * len(enc_heads),
        dec_dim=16,
        dec_heads=tuple(dec_heads),
        dec_ffn=(ffn,) * len(dec_heads),
        enc_head_dim=8,
        dec_head_dim=8,
        head=head,
        dpt=DPT if head == "dpt" else None,
        patch_size=patch_size,
    )
    network = Dust3r(config).eval()
    export_onnx(network, tmp_path / "any.onnx", height=64, width=64)
    assert largest_log_error(network, tmp_path / "any.onnx", 64) < 1e-4


@pytest.mark.slow
def test_the_published_network_exports_with_external_data(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Dust3r(CONFIGS["DUSt3R_ViTLarge_BaseDecoder_512_dpt"]).eval()
    path = tmp_path / "full.onnx"
    export_onnx(network, path, height=64, width=64)  # as many weights as at 512
    assert sorted(p.name for p in tmp_path.iterdir()) == ["full.onnx", "full.onnx.data"]
    assert largest_log_error(network, path, 64) < 1e-4
