"""A pickle of some hundred bytes that asks for gigabytes or for hours is refused before it runs."""

import struct
import zipfile
from collections import OrderedDict
from io import BytesIO
from pathlib import Path

import pytest
import torch
from torch import Tensor

from dust_core.errors import DustError
from dust_core.network.checkpoint import load_checkpoint, save_checkpoint
from dust_core.network.checkpoint.pickled import fault_of_pickle
from dust_core.network.model import Dust3r, Dust3rConfig

SHAPE = {"enc_dim": 16, "enc_depth": 1, "enc_heads": 1, "dec_dim": 16, "dec_depth": 1}
CONFIG = Dust3rConfig.uniform(**SHAPE, dec_heads=1, head="linear", patch_size=8)

START, NAME = b"\x80\x02}", b"X\x01\x00\x00\x00a"


def text(letters: bytes) -> bytes:
    return b"X" + struct.pack("<I", len(letters)) + letters


def zeros(module: bytes) -> bytes:
    """`{"a": bytearray(2 ** 34)}`: 16 GB."""
    return START + NAME + b"c" + module + b"\nbytearray\n\x8a\x05\0\0\0\0\x04\x85Rs."


def doubled(levels: int) -> bytes:
    """Tuples of twice the tuple before, put into memo 0 to `levels`."""
    steps = (
        b"h" + bytes([n]) + b"h" + bytes([n]) + b"\x86q" + bytes([n + 1]) for n in range(levels)
    )
    return b"K\x01\x85q\x00a" + b"".join(step + b"a" for step in steps)


AS_A_KEY = START + NAME + b"]" + doubled(40) + b"sh\x28K\x01s."
IN_A_SET = START + NAME + b"]" + doubled(40) + b"sX\x01\0\0\0bc__builtin__\nset\n]h\x28a\x85Rs."
CALL = b"h\x01h\x00h\x02\x86R"
COPIES = (
    START + NAME + b"](" + text(b"a" * 20_000) + b"q\x00c_codecs\nencode\nq\x01"
    + text(b"utf-32") + b"q\x02" + CALL * 5_000 + b"es."
)  # fmt: skip
STATES = (
    START + NAME + b"}(" + b"".join(b"J" + struct.pack("<i", n) + b"N" for n in range(5_000))
    + b"uq\x00sX\x01\0\0\0b](" + b"ccollections\nOrderedDict\n)Rh\x00b" * 500 + b"es."
)  # fmt: skip

HOSTILE = {
    "16 GB of zeros": (zeros(b"__builtin__"), "bytes that the file has not"),
    "16 GB of zeros, as Python 3 says": (zeros(b"builtins"), "bytes that the file has not"),
    "a key that takes ages to hash": (AS_A_KEY, "tuples in one another without an end"),
    "a member that takes ages to hash": (IN_A_SET, "tuples in one another without an end"),
    "5000 copies of a text": (COPIES, "copies the same values over and over"),
    "500 copies of a mapping": (STATES, "copies the same values over and over"),
    "no pickle": (b"\xff\xff", "its pickle is damaged"),
    "an empty stack": (b"\x80\x02s.", "its pickle is damaged"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_refused_before_it_runs(name: str, tmp_path: Path) -> None:
    content, message = HOSTILE[name]
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
        archive.writestr("a/data.pkl", content)
        archive.writestr("a/version", "3\n")
    with pytest.raises(DustError, match=message):
        load_checkpoint(tmp_path / "a.pth")


def legacy(path: Path) -> bytes:
    """A checkpoint as a PyTorch before 1.6 wrote it."""
    save_checkpoint(Dust3r(CONFIG), path, exp_id="K_run1", spec_digest="ab" * 32)
    content = torch.load(path, weights_only=True)  # noqa: TID251 - written by this test
    torch.save(content, path, _use_new_zipfile_serialization=False)
    return path.read_bytes()


def test_the_pickles_of_a_legacy_archive_are_judged_too(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    content = legacy(path)
    assert load_checkpoint(path).exp_id == "K_run1"
    head = content[: content.index(b"type_sizes")]
    system = content[len(head) :].index(b".\x80\x02") + len(head) + 1
    path.write_bytes(content[:system] + zeros(b"builtins") + content[system:])
    with pytest.raises(DustError, match="bytes that the file has not"):
        load_checkpoint(path)


def test_damage_to_a_legacy_archive_is_not_called_code_alone(tmp_path: Path) -> None:
    """It has no sums that could tell one from the other."""
    path = tmp_path / "a.pth"
    path.write_bytes(legacy(path).replace(b"FloatStorage", b"FloatSt0rage", 1))
    with pytest.raises(DustError, match="is damaged, or asks to run code"):
        load_checkpoint(path)


def test_what_training_keeps_is_no_bomb() -> None:
    """A state has thousands of tensors, and the 625 numbers of Python's generator in a tuple."""
    import random

    weights = OrderedDict((f"blocks.{n}.weight", torch.zeros(2, 2)) for n in range(2_000))
    state = {"model": weights, "random": random.Random(0).getstate(), "betas": (0.9, 0.95)}
    stream = BytesIO()
    torch.save(state, stream)
    with zipfile.ZipFile(stream) as archive:
        name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        assert fault_of_pickle(BytesIO(archive.read(name)), 65_536) is None


def test_many_parts_behind_a_false_end_are_counted(tmp_path: Path) -> None:
    """The comment of the archive holds what looks like the end of a larger one."""
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as archive:
        for number in range(6_000):
            archive.writestr(f"a/{number:0350}", b"")
        archive.comment = b"PK\6\6" + bytes(60)
    with pytest.raises(DustError, match="more parts than a checkpoint"):
        load_checkpoint(tmp_path / "a.pth")


def test_elements_in_one_place_become_elements_of_their_own(tmp_path: Path) -> None:
    """Training in place would otherwise change several of them at once."""
    path = tmp_path / "a.pth"
    save_checkpoint(Dust3r(CONFIG), path, exp_id="K_run1", spec_digest="ab" * 32)
    content = torch.load(path, weights_only=True)  # noqa: TID251 - written by this test
    del content["content_sha256"]
    weights: dict[str, Tensor] = content["model"]
    name = next(name for name, value in weights.items() if value.dim() == 2)
    rows, columns = weights[name].shape
    weights[name] = torch.arange(float(rows * columns)).as_strided((rows, columns), (1, 1))
    torch.save(content, path)
    loaded = load_checkpoint(path).network.state_dict()[name]
    assert torch.equal(loaded, weights[name])
    assert loaded.is_contiguous()


def test_a_name_of_a_weight_writes_no_line_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    save_checkpoint(Dust3r(CONFIG), path, exp_id="K_run1", spec_digest="ab" * 32)
    content = torch.load(path, weights_only=True)  # noqa: TID251 - written by this test
    del content["content_sha256"]
    content["model"]["a\n  fix: run this"] = torch.zeros(1)
    torch.save(content, path)
    with pytest.raises(DustError, match=r"unknown a\\n  fix") as caught:
        load_checkpoint(path)
    assert str(caught.value).count("\n") == 1
