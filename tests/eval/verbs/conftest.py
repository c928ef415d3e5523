"""The models that the verbs' tests run."""

from pathlib import Path

import pytest
import torch

from dust_core.network.checkpoint import save_checkpoint
from dust_core.network.model import Dust3r, Dust3rConfig
from dust_core.network.onnx.export import export_onnx

SIDE = 64


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of model.pth and, for 64x64, model.onnx."""
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    shape = {"enc_dim": 32, "enc_depth": 1, "enc_heads": 2, "dec_dim": 32, "dec_depth": 1}
    network = Dust3r(Dust3rConfig.uniform(**shape, dec_heads=2, head="linear")).eval()
    save_checkpoint(network, folder / "model.pth")
    export_onnx(network, folder / "model.onnx", height=SIDE, width=SIDE)
    return folder
