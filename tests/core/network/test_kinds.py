"""A model is what its content says, whatever its name; everything else is named."""

import json
import pickle  # noqa: TID251 - to write what is refused
from argparse import Namespace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from dust_core.cli import main
from dust_core.errors import DustError
from dust_core.network.checkpoint import load_checkpoint, save_checkpoint
from dust_core.network.kinds import ModelKind, kind_of_model
from dust_core.network.model import Dust3r, Dust3rConfig
from dust_core.network.onnx.export import export_onnx

CALL = (
    "AsymmetricCroCo3DStereo(head_type='linear', enc_embed_dim=32, enc_depth=1, enc_num_heads=2, "
    "dec_embed_dim=32, dec_depth=1, dec_num_heads=2)"
)
HUB = {"enc_embed_dim": 32, "enc_depth": 1, "enc_num_heads": 2, "head_type": "linear"}
HUB |= {"dec_embed_dim": 32, "dec_depth": 1, "dec_num_heads": 2}


@pytest.fixture(scope="module")
def network() -> Dust3r:
    torch.manual_seed(0)
    shape = {"enc_dim": 32, "enc_depth": 1, "enc_heads": 2, "dec_dim": 32, "dec_depth": 1}
    return Dust3r(Dust3rConfig.uniform(**shape, dec_heads=2, head="linear")).eval()


def dust(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ending:
        main([str(argument) for argument in arguments])
    code = ending.value.code
    return code if isinstance(code, int) else 0


@pytest.mark.parametrize("name", ["a.PTH", "a.pt", "a.ckpt", "checkpoint"])
def test_a_checkpoint_may_have_any_name(tmp_path: Path, network: Dust3r, name: str) -> None:
    save_checkpoint(network, tmp_path / name)
    assert kind_of_model(tmp_path / name) is ModelKind.ARCHIVE
    assert load_checkpoint(tmp_path / name).config == network.config


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod."])
def test_wrappers_and_the_legacy_format_are_read(
    tmp_path: Path, network: Dust3r, prefix: str, zipped: bool
) -> None:
    weights = {prefix + name: value for name, value in network.state_dict().items()}
    path = tmp_path / "published.pth"
    content = {"args": Namespace(model=CALL), "model": weights}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    assert kind_of_model(path) is (ModelKind.ARCHIVE if zipped else ModelKind.LEGACY)
    read = load_checkpoint(path).network.state_dict()
    assert all(torch.equal(read[name], value) for name, value in network.state_dict().items())


def test_weights_in_safetensors_need_the_description_beside_them(
    tmp_path: Path, network: Dust3r
) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(network.state_dict(), path)
    with pytest.raises(DustError, match=r"holds config\.json and model\.safetensors"):
        load_checkpoint(path)
    mark = b"\xef\xbb\xbf"  # as editors on Windows begin a file
    (tmp_path / "config.json").write_bytes(mark + json.dumps(HUB).encode())
    assert load_checkpoint(path).config == network.config


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 2284\n"


@pytest.mark.parametrize(
    ("content", "message", "fix"),
    [
        (POINTER, "a Git LFS pointer", "git lfs pull"),
        (b"outs:\n- md5: 00\n", "a DVC pointer", "dvc pull"),
        (b"<!DOCTYPE html>", "a web page", "download the file itself"),
        (b"", "the file is empty", "again"),
        (pickle.dumps({"a": 1}), "a plain pickle, which runs code", "torch.save"),
        (b"\x1f\x8b\x08\0", "a compressed archive", "unpack"),
        (b"PK\x03\x04 cut off", "cannot be read", "again"),
        (b"no model", "cannot be read", "again"),
    ],
)
def test_what_is_no_model_is_named_with_its_remedy(
    tmp_path: Path, content: bytes, message: str, fix: str
) -> None:
    path = tmp_path / "model.pth"
    path.write_bytes(content)
    with pytest.raises(DustError, match=message) as refused:
        load_checkpoint(path)
    assert fix in refused.value.fix and refused.value.where == str(path)


def test_a_hub_cloned_without_lfs_says_so(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(HUB))
    (tmp_path / "model.safetensors").write_bytes(POINTER)
    with pytest.raises(DustError, match="a Git LFS pointer"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize(
    "value", [torch.zeros(3).to_sparse(), torch.zeros(3, device="meta"), torch.zeros(3, dtype=int)]
)
def test_weights_that_are_no_plain_floats_are_refused(
    tmp_path: Path, network: Dust3r, value: torch.Tensor
) -> None:
    weights = {**network.state_dict(), "enc_norm.bias": value}
    torch.save({"args": Namespace(model=CALL), "model": weights}, tmp_path / "a.pth")
    with pytest.raises(DustError, match=r"enc_norm\.bias holds .*, not plain (floats|numbers)"):
        load_checkpoint(tmp_path / "a.pth")


def test_a_depth_that_the_weights_disprove_is_never_built(tmp_path: Path, network: Dust3r) -> None:
    call = CALL.replace("enc_depth=1", "enc_depth=200")
    torch.save({"args": Namespace(model=call), "model": network.state_dict()}, tmp_path / "a.pth")
    with pytest.raises(DustError, match="describes 202 blocks and holds"):
        load_checkpoint(tmp_path / "a.pth")


def test_a_graph_is_inspected(
    tmp_path: Path, network: Dust3r, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "graph.bin"
    export_onnx(network, path, height=32, width=64)
    assert dust("inspect", path, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["kind"] == "an ONNX graph" and not facts["quantized"]
    assert facts["inputs"] == dict.fromkeys(("image1", "image2"), "float32 1x3x32x64")
    assert facts["outputs"]["conf_2"] == "float32 1x32x64"
    assert facts["operators"]["MatMul"] > 4
    assert dust("inspect", path) == 0
    assert "image1: float32 1x3x32x64" in capsys.readouterr().out
    path.write_bytes(path.read_bytes()[:2000])
    assert dust("inspect", path) == 2
    assert "this is no ONNX graph" in capsys.readouterr().err


def test_an_engine_is_inspected(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "student.trt"
    path.write_bytes(b"ftrt" + bytes(60))
    assert dust("inspect", path) == 0
    assert "none, so it will not be loaded" in capsys.readouterr().out
    (tmp_path / "student.trt.json").write_text('{"sha256": "0", "compiler": "tensorrt"}')
    assert dust("inspect", path) == 0
    shown = capsys.readouterr().out
    assert "a TensorRT engine" in shown and "is of another engine" in shown
    (tmp_path / "student.trt.json").write_text("[]")
    assert dust("inspect", path) == 2
    assert "not an engine manifest" in capsys.readouterr().err


def test_a_path_that_is_not_utf8_is_refused_with_a_remedy(
    tmp_path: Path, network: Dust3r, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / b"m\xff.pth".decode(errors="surrogateescape")
    save_checkpoint(network, path)
    assert dust("inspect", path) == 2
    assert "m\\xff.pth: the path is not UTF-8" in capsys.readouterr().err
    (tmp_path / "link.pth").symlink_to(path)
    assert dust("inspect", tmp_path / "link.pth") == 0


@pytest.mark.parametrize(
    ("inside", "advice"),
    [
        ((), "name a checkpoint of torch"),
        (("a.png",), "name a checkpoint of torch"),
        (("notes.txt", "teacher.pth", "z.onnx"), "name the file in it, such as teacher.pth"),
    ],
)
def test_a_folder_that_is_no_model_says_so(
    tmp_path: Path, inside: tuple[str, ...], advice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in inside:
        (tmp_path / name).write_bytes(b"x")
    assert dust("inspect", tmp_path) == 2
    message = capsys.readouterr().err
    assert "this folder is no model: it has neither config.json nor model.safetensors" in message
    assert advice in message
    assert dust("inspect", tmp_path / "absent.pth") == 2
    assert "no such file\n  fix: check the path" in capsys.readouterr().err
