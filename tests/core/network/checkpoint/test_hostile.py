"""What a stranger's file claims costs neither time nor memory, and is refused in one message."""

import os
import struct
import time
import zipfile
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from dust_core.errors import DustError
from dust_core.network.checkpoint import load_checkpoint, save_checkpoint
from dust_core.network.checkpoint.seal import SEAL, sealed
from dust_core.network.model import Dust3r, Dust3rConfig

SHAPE = {"enc_dim": 16, "enc_depth": 1, "enc_heads": 1, "dec_dim": 16, "dec_depth": 1}
CONFIG = Dust3rConfig.uniform(**SHAPE, dec_heads=1, head="linear", patch_size=8)
WEIGHT = "enc_norm.bias"
Content = dict[str, Any]
Change = Callable[[Path, Content], None]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save_checkpoint(Dust3r(CONFIG), tmp_path / "a.pth", exp_id="K_run1", spec_digest="ab" * 32)
    return tmp_path / "a.pth"


def content_of(path: Path) -> Content:
    content: Content = torch.load(path, weights_only=True)  # noqa: TID251 - written by this test
    return {name: value for name, value in content.items() if name != SEAL}


def with_values(*, seal: bool = True, **values: Any) -> Change:
    def change(path: Path, content: Content) -> None:
        new = content | values
        torch.save(sealed(new) if seal else new, path)

    return change


def with_weight(tensor: torch.Tensor, name: str = WEIGHT) -> Change:
    def change(path: Path, content: Content) -> None:
        with_values(seal=False, model=content["model"] | {name: tensor})(path, content)

    return change


def with_config(**values: Any) -> Change:
    def change(path: Path, content: Content) -> None:
        with_values(config=content["config"] | values)(path, content)

    return change


def rezipped(
    part: str, replace: Callable[[bytes], bytes], method: int = zipfile.ZIP_STORED
) -> Change:
    """An archive in which one part is another; its sums are right, and it has no digest."""

    def change(path: Path, content: Content) -> None:
        torch.save(content, path)
        with zipfile.ZipFile(path) as old:
            parts = {name: old.read(name) for name in old.namelist()}
        with zipfile.ZipFile(path, "w", method) as new:
            for name, body in parts.items():
                new.writestr(name, replace(body) if name.endswith(part) else body)

    return change


def with_part(name: str, body: bytes) -> Change:
    def change(path: Path, content: Content) -> None:
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(name, body)

    return change


def with_many_parts(path: Path, content: Content) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        for number in range(6_000):
            archive.writestr(f"a/{number:0350}", b"")


def published(call: str) -> Change:
    def change(path: Path, content: Content) -> None:
        torch.save({"args": Namespace(model=call), "model": content["model"]}, path)

    return change


def with_quantized(path: Path, content: Content) -> None:
    weight = torch.quantize_per_tensor(torch.zeros(16), 0.1, 0, torch.qint8)
    with_weight(weight)(path, content)


def pipe(path: Path, content: Content) -> None:
    path.unlink()
    os.mkfifo(path)


def text_in_a_pickle(size: int) -> bytes:
    return b"\x80\x02X" + struct.pack("<I", size) + b"a" * size + b"."


ITSELF: list[Any] = []
ITSELF.append(ITSELF)
# 10 times the value before, in each of 30: a pickle of a few kilobytes.
SHARED = [0]
for _ in range(30):
    SHARED = [SHARED] * 10  # type: ignore[list-item]

HOSTILE: dict[str, tuple[Change, str]] = {
    "markup": (with_values(exp_id="[bold]a[/nope]"), "its exp_id is .*, not a name"),
    "markup as the digest of the spec": (with_values(spec_digest="[/x]"), "its spec_digest is"),
    "an escape": (with_values(exp_id="\x1b]0;a\x07"), "its exp_id is"),
    "half a character": (with_values(exp_id="\ud800"), "its exp_id is"),
    "a number": (with_values(exp_id=5), "its exp_id is 5, not a name"),
    "a list": (with_values(exp_id=["a"]), "its exp_id is"),
    "a text of 10 MB": (with_values(exp_id="x" * 10_000_000), "its pickle has 10,0"),
    "a format of a thousand letters": (with_values(format="x" * 1000), "the checkpoint's format"),
    "complex": (with_weight(torch.zeros(16, dtype=torch.complex64)), "holds complex64"),
    "quantized": (with_quantized, r"a tensor \(quantized, on cpu\)"),
    "eight bits": (with_weight(torch.zeros(16).to(torch.float8_e4m3fn)), "holds float8_e4m3fn"),
    "sparse": (with_weight(torch.zeros(16).to_sparse()), r"a tensor \(sparse_coo, on cpu\)"),
    "meta": (with_weight(torch.zeros(16, device="meta")), r"a tensor \(strided, on meta\)"),
    "one number for a gigabyte": (
        with_weight(torch.zeros(1).expand(10**9)),
        r"a tensor \(1000000000,\) without so many numbers",
    ),
    "one number as often as is right": (
        with_weight(torch.zeros(1).expand(16)),
        r"a tensor \(16,\) without so many numbers",
    ),
    "values in one another": (with_values(seal=False, extra=ITSELF), "too many, or too deep"),
    "values as often as 10 ** 30": (with_values(seal=False, extra=SHARED), "too many, or too deep"),
    "65,536 blocks": (
        with_config(enc_heads=[1] * 65_536, enc_ffn=[64] * 65_536),
        "its pickle has",
    ),
    "300 blocks": (
        with_config(enc_heads=[1] * 300, enc_ffn=[64] * 300),
        "enc_heads lists .* blocks, must be 256",
    ),
    "a side of 400 digits": (with_config(enc_dim=10**400), "enc_dim holds 1000.*, must be"),
    "65,536 channels": (with_config(enc_dim=65_536), "has other shapes"),
    "blocks in the published call": (
        published(
            "AsymmetricCroCo3DStereo(enc_embed_dim=16, enc_depth=65536, enc_num_heads=1, "
            "dec_embed_dim=16, dec_depth=65536, dec_num_heads=1)"
        ),
        "enc_heads lists .* blocks, must be 256",
    ),
    "a call of 20,000 letters": (published(f"A({'(' * 20_000}"), "has 20,002 letters"),
    "compressed": (
        rezipped("data.pkl", lambda _: text_in_a_pickle(20_000_000), zipfile.ZIP_DEFLATED),
        "is compressed, and torch compresses none",
    ),
    "a short part": (rezipped("data/0", lambda body: body[:8]), "another length than the tensor"),
    "a long part": (rezipped("data/0", lambda body: body + body), "another length than the tensor"),
    "two of a part": (with_part("archive/data/0", bytes(64)), "two parts archive/data/0"),
    "a part outside": (with_part("../../a", b""), "cannot be read"),
    "thousands of parts": (with_many_parts, "more parts than a checkpoint"),
    "a pipe": (pipe, "no regular file"),
}


@pytest.mark.filterwarnings("ignore")  # of zipfile and torch, about what is written here
@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_refused_at_once_in_one_short_message(name: str, path: Path) -> None:
    change, message = HOSTILE[name]
    change(path, content_of(path))
    start, before = time.process_time(), resident_peak_mb()
    with pytest.raises(DustError, match=message) as caught:
        load_checkpoint(path)
    assert time.process_time() - start < 1.5
    assert resident_peak_mb() - before < 200
    assert len(str(caught.value)) - len(str(path)) < 700
    assert "run code" not in str(caught.value)


def resident_peak_mb() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def test_damage_to_a_name_is_not_called_code(path: Path) -> None:
    """Only what is whole and names code asks to run it."""
    torch.save(content_of(path), path)
    content = path.read_bytes()
    assert b"_rebuild_tensor_v2" in content
    path.write_bytes(content.replace(b"_rebuild_tensor_v2", b"_rebuild_tensor_vx", 1))
    with pytest.raises(DustError, match=r"the part .*data\.pkl of the archive is damaged"):
        load_checkpoint(path)


def test_a_pickle_that_ends_early_is_damaged(path: Path) -> None:
    rezipped("data.pkl", lambda body: body[:20] + b"\xff" + body[21:])(path, content_of(path))
    with pytest.raises(DustError, match="the checkpoint cannot be read"):
        load_checkpoint(path)


def hub(folder: Path, text: str) -> Path:
    (folder / "config.json").write_text(text)
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", 8) + b"{}      ")
    return folder


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 200_000, "it nests too deep"),
        ('{"a": 1, "a": 2}', "names 'a' twice"),
        (f'{{"a": "{"x" * 2_000_000}"}}', "more than 1,000,000 bytes"),
        ('{"a": 1}', "describes no DUSt3R network"),
    ],
)
def test_a_hubs_description_is_read_within_bounds(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DustError, match=message):
        load_checkpoint(hub(tmp_path, text))


def test_weights_that_share_bytes_are_read(path: Path) -> None:
    """As the authors' file does, whose head has second names for some weights."""
    content = content_of(path)
    shared = torch.zeros(16)
    names = [name for name, value in content["model"].items() if value.shape == (16,)]
    assert len(names) > 3
    content["model"] |= dict.fromkeys(names, shared)
    torch.save(sealed(content), path)
    assert not load_checkpoint(path).network.state_dict()[names[0]].any()
