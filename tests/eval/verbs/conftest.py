"""The models and photographs that the verbs' tests run on."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dust_core.network.checkpoint import save_checkpoint
from dust_core.network.model import Dust3r, Dust3rConfig
from dust_core.network.onnx.export import export_onnx

sys.path.insert(0, str(Path(__file__).parent))  # calls.py

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


@pytest.fixture
def photographs(tmp_path: Path) -> tuple[Path, Path]:
    """A landscape, and a portrait that the camera stored lying, as its EXIF says."""
    rng = np.random.default_rng(0)
    first, second = tmp_path / "a.png", tmp_path / "b.jpg"
    Image.fromarray(rng.integers(0, 255, (60, 100, 3), np.uint8)).save(first)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(rng.integers(0, 255, (60, 100, 3), np.uint8)).save(second, exif=exif)
    return first, second
