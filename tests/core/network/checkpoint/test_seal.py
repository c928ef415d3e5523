"""A damaged checkpoint never loads with other weights."""

import random
from pathlib import Path

import pytest
import torch

from dust_core.errors import DustError
from dust_core.network.checkpoint import load_checkpoint, save_checkpoint, weights_digest
from dust_core.network.checkpoint.seal import SEAL, content_digest
from dust_core.network.model import Dust3r, Dust3rConfig


def tiny(path: Path, *, seal: bool = True) -> Dust3r:
    torch.manual_seed(0)
    shape = {"enc_dim": 16, "enc_depth": 1, "enc_heads": 1, "dec_dim": 16, "dec_depth": 1}
    network = Dust3r(Dust3rConfig.uniform(**shape, dec_heads=1, head="linear", patch_size=8))
    save_checkpoint(network, path, exp_id="K_run1", spec_digest="ab" * 32)
    if not seal:
        content = torch.load(path, weights_only=True)  # noqa: TID251 - written by this very test
        del content[SEAL]
        torch.save(content, path)
    return network.eval()


@pytest.mark.parametrize("seal", [True, False])
def test_whatever_byte_is_damaged_the_network_is_whole_or_refused(
    seal: bool, tmp_path: Path
) -> None:
    path = tmp_path / "a.pth"
    whole = weights_digest(tiny(path, seal=seal))
    content, rng, refused = path.read_bytes(), random.Random(7), 0
    for _ in range(150):
        damaged = bytearray(content)
        for place in rng.sample(range(len(content)), rng.choice((1, 1, 4))):
            damaged[place] ^= rng.randrange(1, 256)
        path.write_bytes(damaged)
        try:
            loaded = load_checkpoint(path, finite=False)
        except DustError:
            refused += 1
        else:
            facts = (weights_digest(loaded.network), loaded.exp_id, loaded.spec_digest)
            assert facts == (whole, "K_run1", "ab" * 32)
    assert refused > 75


def test_an_archive_without_sums_is_read(tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        network = tiny(tmp_path / "a.pth", seal=False)
    finally:
        torch.serialization.set_crc32_options(True)
    assert weights_digest(load_checkpoint(tmp_path / "a.pth").network) == weights_digest(network)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (torch.zeros(2, 3), torch.zeros(3, 2)),
        (torch.zeros(2), torch.zeros(2, dtype=torch.int32)),
        (torch.tensor([1.0, 2.0]), torch.tensor([2.0, 1.0])),
        ([1, 2], [12]),
        (["a", "b"], ("a", "b")),
        ({"a": 1}, {"b": 1}),
        (None, "None"),
        (1, True),
    ],
)
def test_other_content_has_another_digest(first: object, second: object) -> None:
    assert content_digest({"a": first}) != content_digest({"a": second})


def test_the_digest_is_that_of_the_values_whatever_their_strides() -> None:
    values = torch.arange(6.0).reshape(2, 3).to(torch.bfloat16)
    turned = values.T.contiguous().T
    assert not turned.is_contiguous()
    assert content_digest({"a": values}) == content_digest({"a": turned})
