"""The network computes what the published one computes, read from a file as published."""

import sys
from pathlib import Path

import pytest
import torch

from dust_core.network.checkpoint import load_checkpoint

sys.path.insert(0, str(Path(__file__).parent))

from published_parity import Fixture, log_space_errors


def error_of(name: str, folder: Path) -> float:
    fixture = Fixture.read(name)
    path = folder / "published.pth"
    torch.save(fixture.published_file(), path)
    checkpoint = load_checkpoint(path)
    path.unlink()
    assert checkpoint.origin == "published"
    assert sum(p.numel() for p in checkpoint.network.parameters()) == fixture.parameters
    with torch.inference_mode():
        prediction = checkpoint.network(*fixture.images())
    s = fixture.stride
    ours = {key: t[0, ::s, ::s].numpy() for key, t in prediction._asdict().items()}
    return log_space_errors(
        ours, {key: v.reshape(ours[key].shape) for key, v in fixture.outputs.items()}
    )


@pytest.mark.parametrize("name", ["tiny_linear", "tiny_linear_wide", "tiny_dpt"])
def test_tiny_networks(name: str, tmp_path: Path) -> None:
    assert error_of(name, tmp_path) < 1e-3


@pytest.mark.slow
def test_the_published_571m_network(tmp_path: Path) -> None:
    assert error_of("official_512_dpt", tmp_path) < 5e-3


@pytest.mark.parametrize("name", ["tiny_linear", "tiny_dpt"])
def test_every_published_key_is_consumed_and_none_invented(name: str, tmp_path: Path) -> None:
    fixture = Fixture.read(name)
    torch.save(fixture.published_file(), tmp_path / "a.pth")
    ours = set(load_checkpoint(tmp_path / "a.pth").network.state_dict())
    aliases = {key for key in fixture.shapes if ".layer_rn." in key}
    assert ours == set(fixture.shapes) - aliases
