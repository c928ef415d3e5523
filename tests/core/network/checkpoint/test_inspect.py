"""`dust inspect`: what a checkpoint is."""

import json
import re
from pathlib import Path

import pytest
import torch

from dust_core.cli import main
from dust_core.network.checkpoint import save_checkpoint
from dust_core.network.model import Dust3r, Dust3rConfig


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    shape = {"enc_dim": 32, "enc_depth": 2, "enc_heads": 2, "dec_dim": 16, "dec_depth": 1}
    config = Dust3rConfig.uniform(**shape, dec_heads=2, head="linear", patch_size=32)
    path = tmp_path / "student.pth"
    save_checkpoint(Dust3r(config), path, exp_id="K_T3B05_run1", spec_digest="ab" * 32)
    return path


def dust(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ending:
        main([str(argument) for argument in arguments])
    code = ending.value.code
    return code if isinstance(code, int) else 0


def test_parts_are_the_whole_and_shapes_are_the_files(
    checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dust("inspect", checkpoint, "--side", 64, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    saved = torch.load(checkpoint, weights_only=True)  # noqa: TID251 - written by this very test
    count = sum(tensor.numel() for tensor in saved["model"].values())
    assert facts["parameters_M"] == pytest.approx(count / 1e6)
    assert sum(facts["parts_M"].values()) == pytest.approx(count / 1e6)
    assert facts["parts_M"]["patch embedding"] == pytest.approx((3 * 32**2 + 1) * 32 / 1e6)
    assert (facts["exp_id"], facts["spec_digest"]) == ("K_T3B05_run1", "ab" * 32)
    assert (facts["shape"]["enc_heads"], facts["tokens"]) == ([2, 2], 4)
    assert facts["size_MB"] == pytest.approx(checkpoint.stat().st_size / 1e6)


def test_it_reads_well(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dust("inspect", checkpoint, "--side", 64) == 0
    shown = capsys.readouterr().out
    for words in ("K_T3B05_run1", "2 blocks of width 32: 2 heads of 16", "linear", "4 tokens"):
        assert words in shown


def test_patches_must_divide_the_images(
    checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dust("inspect", checkpoint, "--side", 80) == 2
    assert "patches of 32 pixels do not divide images of 80" in capsys.readouterr().err


def test_it_says_whether_a_digest_is_inside(
    checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dust("inspect", checkpoint, "--side", 64) == 0
    saved = torch.load(checkpoint, weights_only=True)  # noqa: TID251 - written by this very test
    assert re.search(r"digest inside +holds", capsys.readouterr().out)
    del saved["content_sha256"]
    torch.save(saved, checkpoint)
    assert dust("inspect", checkpoint, "--side", 64) == 0
    assert re.search(r"digest inside +none", capsys.readouterr().out)
    torch.save(saved | {"exp_id": "other", "content_sha256": "0" * 64}, checkpoint)
    assert dust("inspect", checkpoint, "--side", 64) == 2
    assert "its content differs from the digest in it" in capsys.readouterr().err
