import json
import os
import pickle  # noqa: TID251 - to write the hostile file
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from dust_core.errors import DustError
from dust_core.network.checkpoint import load_checkpoint, save_checkpoint
from dust_core.network.model import DptConfig, Dust3r, Dust3rConfig

CALL = (
    "AsymmetricCroCo3DStereo(pos_embed='RoPE100', img_size=(512, 512), head_type='linear', "
    "output_mode='pts3d', depth_mode=('exp', -inf, inf), conf_mode=('exp', 1, inf), "
    "enc_embed_dim=32, enc_depth=2, enc_num_heads=2, dec_embed_dim=32, dec_depth=1, "
    "dec_num_heads=2, landscape_only=False)"
)
KEYWORDS = {
    "enc_embed_dim": 32,
    "enc_depth": 2,
    "enc_num_heads": 2,
    "dec_embed_dim": 32,
    "dec_depth": 1,
    "dec_num_heads": 2,
    "head_type": "linear",
    "output_mode": "pts3d",
    "depth_mode": ["exp", float("-inf"), float("inf")],
    "conf_mode": ["exp", 1, float("inf")],
}
DPT = DptConfig(layer_dims=(4, 4, 4, 4), feature_dim=4, last_dim=4)
Weights = dict[str, torch.Tensor]


def network() -> Dust3r:
    torch.manual_seed(0)
    config = Dust3rConfig.uniform(
        enc_dim=32, enc_depth=2, enc_heads=2, dec_dim=32, dec_depth=1, dec_heads=2, head="linear"
    )
    return Dust3r(config)


def published(path: Path, weights: Weights | None = None, call: str = CALL) -> Path:
    torch.save({"args": Namespace(model=call), "model": weights or network().state_dict()}, path)
    return path


def assert_same(a: Dust3r, b: Dust3r) -> None:
    assert a.config == b.config
    left, right = a.state_dict(), b.state_dict()
    assert list(left) == list(right)
    assert all(torch.equal(left[key], right[key]) for key in left)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    heads=st.lists(st.integers(1, 3), min_size=1, max_size=3),
    ffn=st.integers(1, 40),
    head=st.sampled_from(["linear", "dpt"]),
)
def test_any_network_comes_back_bit_for_bit(
    heads: list[int], ffn: int, head: str, tmp_path: Path
) -> None:
    config = Dust3rConfig(
        enc_dim=16,
        enc_heads=tuple(heads),
        enc_ffn=(ffn,) * len(heads),
        dec_dim=16,
        dec_heads=(2,),
        dec_ffn=(ffn,),
        enc_head_dim=8,
        dec_head_dim=4,
        head=head,
        dpt=DPT if head == "dpt" else None,
    )
    original, path = Dust3r(config), tmp_path / "a.pth"
    save_checkpoint(original, path, exp_id="K_T3B05_run1", spec_digest="0" * 64)
    loaded = load_checkpoint(path)
    assert_same(original, loaded.network)
    assert (loaded.origin, loaded.exp_id, loaded.spec_digest) == ("dust", "K_T3B05_run1", "0" * 64)
    assert not loaded.network.training


def test_half_precision_halves_the_file_and_rounds_once(tmp_path: Path) -> None:
    whole, half, again = (tmp_path / name for name in ("whole.pth", "half.pth", "again.pth"))
    shape = {"enc_dim": 64, "enc_depth": 2, "enc_heads": 2, "dec_dim": 64, "dec_depth": 1}
    original = Dust3r(Dust3rConfig.uniform(**shape, dec_heads=2, head="linear"))
    save_checkpoint(original, whole)
    save_checkpoint(original, half, half=True)
    assert half.stat().st_size < 0.53 * whole.stat().st_size
    rounded = load_checkpoint(half).network
    for key, value in rounded.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.allclose(value, original.state_dict()[key], rtol=2**-11, atol=1e-7)
    save_checkpoint(rounded, again, half=True)
    assert_same(rounded, load_checkpoint(again).network)
    assert again.read_bytes() == half.read_bytes(), "equal networks, equal bytes"


def test_the_published_file_and_the_hub_folder_are_the_same_network(tmp_path: Path) -> None:
    file = load_checkpoint(published(tmp_path / "published.pth"))
    folder = tmp_path / "hub"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(KEYWORDS))
    save_file(network().state_dict(), folder / "model.safetensors")
    hub = load_checkpoint(folder)
    assert (file.origin, hub.origin) == ("published", "hub")
    assert_same(file.network, hub.network)
    assert_same(file.network, network())


class Hostile:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (str(self.marker),)


def broken(change: Callable[[Weights], object]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        weights = dict(network().state_dict())
        change(weights)
        return published(folder / "a.pth", weights)

    return write


def truncated(folder: Path) -> Path:
    path = published(folder / "a.pth")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def flipped(folder: Path) -> Path:
    path = published(folder / "a.pth")
    content = bytearray(path.read_bytes())
    start = content.index(b"data.pkl") + 60
    content[start : start + 200] = bytes(200)
    path.write_bytes(content)
    return path


def folder_without_weights(folder: Path) -> Path:
    (folder / "config.json").write_text(json.dumps(KEYWORDS))
    return folder


def folder_with_broken_weights(folder: Path) -> Path:
    (folder / "model.safetensors").write_bytes(b"\xff" * 64)
    return folder_without_weights(folder)


def later_format(folder: Path) -> Path:
    torch.save({"format": "dust/v2", "model": {}}, folder / "a.pth")
    return folder / "a.pth"


def other_format(folder: Path) -> Path:
    torch.save({"weights": 1}, folder / "a.pth")
    return folder / "a.pth"


FAULTS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "absent": (lambda f: f / "no.pth", "no such checkpoint"),
    "truncated": (truncated, "cannot be read"),
    "flipped bytes": (flipped, "cannot be read|asks to run code"),
    "neither": (other_format, "neither a DUST checkpoint nor a published one"),
    "another format": (later_format, "the checkpoint's format is 'dust/v2', not 'dust/v1'"),
    "missing key": (broken(lambda w: w.pop("enc_norm.bias")), "lacks enc_norm.bias"),
    "unknown key": (
        broken(lambda w: w.update(extra=torch.zeros(1))),
        "holds unknown extra",
    ),
    "wrong shape": (
        broken(lambda w: w.update({"enc_norm.bias": torch.zeros(31)})),
        r"enc_norm.bias is \(31,\), expected \(32,\)",
    ),
    "NaN": (
        broken(lambda w: w.update({"enc_norm.bias": torch.full((32,), float("nan"))})),
        "NaN or infinity in enc_norm.bias",
    ),
    "code in the call": (
        lambda f: published(f / "a.pth", call="AsymmetricCroCo3DStereo(enc_depth=exit())"),
        r"holds code: 'exit\(\)'",
    ),
    "another network": (
        lambda f: published(f / "a.pth", call="AsymmetricMASt3R(enc_depth=2)"),
        "is a AsymmetricMASt3R, only AsymmetricCroCo3DStereo",
    ),
    "no call": (lambda f: published(f / "a.pth", call="rm -rf"), "is not a call"),
    "a size too large": (
        lambda f: published(f / "a.pth", call=CALL.replace("enc_depth=2", "enc_depth=9999999")),
        "enc_depth is 9999999, must be a whole number from 1 to 65536",
    ),
    "another position embedding": (
        lambda f: published(f / "a.pth", call=CALL.replace("RoPE100", "cosine")),
        "pos_embed is 'cosine', only 'RoPE100'",
    ),
    "a folder without weights": (folder_without_weights, "holds config.json and model.safetensors"),
    "a folder with broken weights": (folder_with_broken_weights, "cannot be read"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_has_one_message_with_advice(fault: str, tmp_path: Path) -> None:
    write, message = FAULTS[fault]
    with pytest.raises(DustError, match=message) as caught:
        load_checkpoint(write(tmp_path))
    assert caught.value.fix and str(tmp_path) in caught.value.where
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("wrap", [lambda e: e, lambda e: {"args": Namespace(model=e), "model": {}}])
def test_a_hostile_pickle_is_refused_and_never_run(
    wrap: Callable[[object], object], tmp_path: Path
) -> None:
    marker = tmp_path / "owned"
    torch.save(wrap(Hostile(marker)), tmp_path / "a.pth")
    with pytest.raises(DustError, match=r"asks to run code: (posix|os)\.mkdir"):
        load_checkpoint(tmp_path / "a.pth")
    (tmp_path / "b.pth").write_bytes(pickle.dumps(Hostile(marker)))
    with pytest.raises(DustError, match="cannot be read"):
        load_checkpoint(tmp_path / "b.pth")
    assert not marker.exists()


def test_a_failed_save_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    save_checkpoint(network(), path, exp_id="first")
    broken_network = network()
    broken_network.register_buffer("unsavable", torch.zeros(1))
    broken_network.unsavable = torch.empty(1, device="meta")
    with pytest.raises(Exception):  # noqa: B017 - torch decides which
        save_checkpoint(broken_network, path)
    assert load_checkpoint(path).exp_id == "first"
    assert [p.name for p in tmp_path.iterdir()] == ["a.pth"]
