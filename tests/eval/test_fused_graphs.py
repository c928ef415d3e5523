"""OpenVINO recognises what graphs are written for."""

from collections import Counter

import pytest
import torch

from dust_core.network.model import Dust3r, Dust3rConfig
from dust_core.network.onnx.export import export_onnx
from dust_eval.runtimes import RuntimeOptions
from dust_eval.runtimes.openvino_runtime import load_graph

ENCODER, DECODER = 2, 2
ATTENTIONS = ENCODER + 2 * 2 * DECODER


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Counter[tuple[str, bool]]:
    """Nodes of a compiled graph by kind, and whether they are in a block."""
    config = Dust3rConfig.uniform(
        enc_dim=128, enc_depth=ENCODER, enc_heads=2,
        dec_dim=128, dec_depth=DECODER, dec_heads=2, head="linear",
    )  # fmt: skip
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("fused") / "network.onnx"
    export_onnx(Dust3r(config).eval(), path, height=128, width=128)
    model = load_graph(path, RuntimeOptions(threads=1)).compiled.get_runtime_model()
    told = [(node.get_rt_info(), node.get_friendly_name()) for node in model.get_ops()]
    return Counter(
        (info["layerType"].astype(str), "blocks" in f"{name}{info['originalLayersNames']}")
        for info, name in told
    )


def test_every_rotation_is_one_node(executed: Counter[tuple[str, bool]]) -> None:
    assert executed["RoPE", True] + executed["RoPE", False] == 2 * ATTENTIONS


@pytest.mark.parametrize("kind", ["Split", "VariadicSplit", "StridedSlice", "Concat", "Gather"])
def test_nothing_is_taken_apart_or_put_together_in_a_block(
    kind: str, executed: Counter[tuple[str, bool]]
) -> None:
    assert not executed[kind, True]
