"""A pruned network is a network like any other: every tool takes it."""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "quantize"))

from tiny_networks import DPT, LINEAR, images, policy, run

from dust_compress.quantize.export import export_int8
from dust_compress.quantize.network import quantize
from dust_compress.quantize.origin import Origin
from dust_core.cli import main
from dust_core.declared.specs import load_specs
from dust_core.network.checkpoint import save_checkpoint
from dust_core.network.model import Dust3r, Dust3rConfig
from dust_core.network.onnx.export import export_onnx
from dust_core.network.surgery.axes import axes_of
from dust_core.network.surgery.prune import choose_units, importances, prune

SIDE = 64
ROOT = Path(__file__).parents[3]


def pruned(config: Dust3rConfig) -> Dust3r:
    """A third of the parameters less, unevenly: the first block of the encoder loses most."""
    torch.manual_seed(0)
    whole = Dust3r(config).eval()
    with torch.no_grad():
        whole.enc_blocks[0].mlp.fc1.weight *= 0.1
        whole.enc_blocks[0].attn.proj.weight[:, :16] *= 0.01
    axes = axes_of(config)
    importance = importances({k: v.detach().abs() for k, v in whole.named_parameters()}, axes)
    kept = choose_units(config, axes, importance, 0.33, counts="parameters", multiple=4)
    smaller = prune(whole, kept)
    assert len(set(smaller.config.enc_ffn)) > 1
    return smaller


def dust(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ending:
        main([str(argument) for argument in arguments])
    code = ending.value.code
    return code if isinstance(code, int) else 0


@pytest.mark.parametrize("config", [LINEAR, DPT], ids=["linear", "dpt"])
def test_it_is_inspected_and_predicts_from_its_file(
    config: Dust3rConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network, path = pruned(config), tmp_path / "pruned_r030.pth"
    save_checkpoint(network, path, exp_id="P_r030_run1", spec_digest="0" * 64, half=True)
    assert dust("inspect", path, "--side", SIDE, "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert "P_r030_run1" in json.dumps(shown)
    assert str(network.config.enc_ffn[0]) in json.dumps(shown)
    photographs = [tmp_path / "a.png", tmp_path / "b.png"]
    for seed, photograph in enumerate(photographs):
        pixels = np.random.default_rng(seed).integers(0, 255, (SIDE, SIDE, 3), np.uint8)
        Image.fromarray(pixels).save(photograph)
    arguments = ("--model", path, "--out", tmp_path / "out", "--side", SIDE)
    assert dust("predict", *photographs, *arguments, "--min-confidence", "1.0") == 0
    assert json.loads((tmp_path / "out" / "prediction.json").read_text())["points"] > 0


@pytest.mark.parametrize("config", [LINEAR, DPT], ids=["linear", "dpt"])
def test_its_graph_computes_what_it_computes(config: Dust3rConfig, tmp_path: Path) -> None:
    network, path = pruned(config), tmp_path / "pruned.onnx"
    export_onnx(network, path, height=SIDE, width=SIDE)
    check(path, network, 1e-3)


def test_it_quantizes_by_the_policy_of_q1(tmp_path: Path) -> None:
    """A combination that no task declares: prune, then Q-1's policy."""
    declared = load_specs(ROOT / "specs").common("Q-1")
    network, path = pruned(LINEAR), tmp_path / "pruned_int8.onnx"
    float_twin = Dust3r(network.config).eval()
    float_twin.load_state_dict(network.state_dict())
    quantize(network, policy(**declared.model_dump(mode="json", exclude_unset=True)), run)
    export_int8(network, path, Origin("Q_PTQ_keepLN_run1"), height=SIDE, width=SIDE)
    assert b"QuantizeLinear" in path.read_bytes()
    check(path, float_twin, 0.2)


def check(path: Path, network: Dust3r, tolerance: float) -> None:
    """The graph's points are the network's, but for a share of their mean size."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    first, second = images()
    names = [entry.name for entry in session.get_inputs()]
    got = session.run(None, dict(zip(names, (first.numpy(), second.numpy()), strict=True)))
    with torch.inference_mode():
        wanted = network(first, second)
    error = np.abs(got[0] - wanted.pts3d_1.numpy()).mean()
    assert error < tolerance * np.abs(wanted.pts3d_1.numpy()).mean()
