from pathlib import Path

import pytest
import torch

from dust_compress.quantize.export import export_int8
from dust_compress.quantize.network import quantize
from dust_compress.quantize.origin import Origin
from dust_core.declared.specs import ResolvedTask, load_specs, resolve
from dust_core.declared.specs.models.quant import Policy
from dust_core.network.model import Dust3r, Dust3rConfig
from dust_core.network.onnx.export import export_onnx

SIDE = 64


@pytest.fixture(scope="session")
def engine_task() -> ResolvedTask:
    return resolve(load_specs(Path(__file__).parents[3] / "specs"), "Q-3", "ci")


@pytest.fixture(scope="session")
def policy(engine_task: ResolvedTask) -> Policy:
    assert isinstance(engine_task.common, Policy)
    return engine_task.common


@pytest.fixture(scope="session")
def quantized_network(policy: Policy) -> Dust3r:
    return _quantized(policy)


@pytest.fixture(scope="session")
def int8_graph(quantized_network: Dust3r, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("graphs") / "int8.onnx"
    export_int8(quantized_network, path, Origin("KQ_INT8_run1"), height=SIDE, width=SIDE)
    return path


@pytest.fixture(scope="session")
def all_int8_graph(policy: Policy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Patches, heads, attention's products and what norms and softmax read: all in eight bits."""
    kept = ("attn_scale", "rope", "postprocess")
    network = _quantized(policy.model_copy(update={"keep_list": kept, "attention_products": True}))
    path = tmp_path_factory.mktemp("graphs") / "all_int8.onnx"
    origin = Origin("Q_PTQ_keepnoLNnoSM-attn8_run1")
    export_int8(network, path, origin, height=SIDE, width=SIDE)
    return path


@pytest.fixture(scope="session")
def float_graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("graphs") / "float.onnx"
    export_onnx(_network(), path, height=SIDE, width=SIDE)
    return path


def _quantized(policy: Policy) -> Dust3r:
    network = _network()
    images = [2 * torch.rand(1, 3, SIDE, SIDE) - 1 for _ in range(2)]
    quantize(network, policy, lambda model: model(*images))
    return network


def _network() -> Dust3r:
    torch.manual_seed(0)
    config = Dust3rConfig.uniform(
        enc_dim=32, enc_depth=1, enc_heads=2, dec_dim=32, dec_depth=1, dec_heads=2, head="linear"
    )
    return Dust3r(config).eval()
