from copy import deepcopy
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from dust_core.declared.specs.models import profile
from dust_core.network.model import DptConfig, Dust3r, Dust3rConfig
from dust_core.network.model.config import DPT_PATCH
from dust_core.network.model.named import CONFIGS

SMALL_DPT = DptConfig(layer_dims=(8, 8, 16, 16), feature_dim=8, last_dim=4)


def build(depth: int = 2, head: str = "linear", **changes: int) -> Dust3r:
    torch.manual_seed(0)
    shape = {"enc_dim": 32, "enc_depth": 2, "enc_heads": 2, "dec_dim": 24, "dec_heads": 3} | changes
    config = Dust3rConfig.uniform(**shape, dec_depth=depth, head=head, dpt=SMALL_DPT)
    return Dust3r(config).eval()


def images(height: int = 32, width: int = 48, batch: int = 1) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(1)
    return tuple(torch.rand(batch, 3, height, width, generator=generator) * 2 - 1 for _ in range(2))


@pytest.mark.parametrize("head", ["linear", "dpt"])
@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_any_depth_and_size_gives_finite_points_and_confidences(depth: int, head: str) -> None:
    with torch.inference_mode():
        prediction = build(depth, head)(*images(48, 80, batch=2))
    assert prediction.pts3d_1.shape == prediction.pts3d_2.shape == (2, 48, 80, 3)
    assert prediction.conf_1.shape == prediction.conf_2.shape == (2, 48, 80)
    assert all(torch.isfinite(t).all() for t in prediction)
    assert (prediction.conf_1 > 1).all()


def test_encoding_once_and_decoding_is_the_forward_pass() -> None:
    network, (first, second) = build(3, "dpt"), images()
    with torch.inference_mode():
        whole = network(first, second)
        parts = network.decode(network.encode(first), network.encode(second))
    for a, b in zip(whole, parts, strict=True):
        torch.testing.assert_close(a, b)


def test_a_pair_does_not_depend_on_its_batch() -> None:
    network, (first, second) = build(), images(batch=3)
    with torch.inference_mode():
        together = network(first, second).pts3d_2
        alone = torch.cat([network(first[i, None], second[i, None]).pts3d_2 for i in range(3)])
    torch.testing.assert_close(together, alone)


def test_bf16_stays_near_float32_and_returns_float32() -> None:
    network, pair = build(3, "dpt"), images()
    with torch.inference_mode():
        exact = network(*pair)
        with torch.autocast("cpu", torch.bfloat16):
            narrow = network(*pair)
    assert all(t.dtype == torch.float32 for t in narrow)
    error = (narrow.pts3d_1 - exact.pts3d_1).norm(dim=-1) / exact.pts3d_1.norm(dim=-1)
    assert error.median() < 0.03


def test_a_network_first_run_without_gradients_can_still_be_trained() -> None:
    network, pair = build(), images()
    with torch.inference_mode():
        network(*pair)
    network(*pair).pts3d_1.sum().backward()
    assert network.enc_blocks[0].attn.qkv.weight.grad is not None


class Copies(TorchDispatchMode):
    """Records every copy to another device or type."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: list[tuple[int, ...]] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> torch.Tensor:
        result: torch.Tensor = func(*args, **(kwargs or {}))
        if func is torch.ops.aten._to_copy.default:
            self.shapes.append(tuple(result.shape))
        return result


def test_a_second_forward_copies_no_table() -> None:
    network = build().bfloat16()
    pair = [image.bfloat16() for image in images()]
    tables = {(6, 16), (6, 8)}  # tokens by the widths of the encoder's and the decoders' heads
    with torch.inference_mode(), Copies() as first:
        network(*pair)
    assert tables <= set(first.shapes), "the tables are made once"
    with torch.inference_mode(), Copies() as second:
        network(*pair)
    assert not tables & set(second.shapes)


def test_tables_are_kept_for_each_type_and_grid() -> None:
    network, tokens = build(), torch.zeros(1, 6, 32)
    wide = network.rope(tokens, (2, 3), 16)
    with torch.autocast("cpu", torch.bfloat16):
        narrow = network.rope(tokens, (2, 3), 16)
        assert network.rope(tokens, (2, 3), 16) is narrow
    assert (wide[0].dtype, narrow[0].dtype) == (torch.float32, torch.bfloat16)
    assert network.rope(tokens, (2, 3), 16) is wide
    assert network.rope(tokens, (3, 2), 16) is not wide
    torch.testing.assert_close(narrow[1], wide[1].bfloat16(), rtol=0, atol=0)


def test_tables_are_no_part_of_the_state_and_a_copy_computes_the_same() -> None:
    network, pair = build(), images()
    names = list(network.state_dict())
    with torch.inference_mode():
        expected = network(*pair)
        assert list(network.state_dict()) == names
        copied = deepcopy(network)(*pair)
    assert all(torch.equal(a, b) for a, b in zip(expected, copied, strict=True))


def test_sides_that_no_patch_divides_are_refused() -> None:
    with pytest.raises(ValueError, match="image is 32x50, both sides must be divisible by 16"):
        build()(*images(32, 50))


@pytest.mark.parametrize(
    ("depth", "hooks"),
    [
        (1, (0, 1, 1, 1)),
        (2, (0, 1, 1, 2)),
        (3, (0, 1, 2, 3)),
        (8, (0, 4, 6, 8)),
        (12, (0, 6, 9, 12)),
    ],
)
def test_dpt_hooks(depth: int, hooks: tuple[int, ...]) -> None:
    assert build(depth, "dpt").config.hooks == hooks


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"enc_heads": 0}, "enc_heads holds 0, must be a whole number from 1 to 65536"),
        ({"dec_heads": 12}, "dec_head_dim is 2, must be divisible by 4"),
        ({"enc_depth": 0}, "at least one encoder and one decoder block"),
    ],
)
def test_impossible_shapes_are_refused(change: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(**change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"enc_dim": 32.5}, "enc_dim holds 32.5, must be a whole number"),
        ({"enc_ffn": ["wide", 8]}, "enc_ffn holds 'wide', must be a whole number"),
        ({"rope_base": float("nan")}, "rope_base holds nan, must be a number"),
        ({"head": "conv"}, "head is 'conv', must be one of linear, dpt"),
        ({"dpt": None}, "head is 'dpt' but dpt is None"),
        ({"dpt": {"layer_dims": [8, 8, 8]}}, "layer_dims has 3 levels, must have 4"),
        ({"patch_size": 24}, "patch_size is 24, must be a multiple of 16 for a DPT head"),
    ],
)
def test_stored_shapes_are_not_trusted(change: dict[str, object], message: str) -> None:
    stored = build(2, "dpt").config.to_dict() | change
    with pytest.raises(ValueError, match=message):
        Dust3rConfig.from_dict(stored)


def test_the_published_config_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        count = {
            name: sum(p.numel() for p in Dust3r(config).parameters())
            for name, config in CONFIGS.items()
        }
    assert count["DUSt3R_ViTLarge_BaseDecoder_512_dpt"] == 571_171_208
    assert count["DUSt3R_ViTLarge_BaseDecoder_512_linear"] == 532_342_784
    assert 10e6 < count["small"] < 13e6


@settings(max_examples=30)
@given(
    heads=st.lists(st.integers(1, 3), min_size=1, max_size=4),
    ffn=st.integers(1, 80),
    head=st.sampled_from(["linear", "dpt"]),
)
def test_configs_survive_a_round_trip(heads: list[int], ffn: int, head: str) -> None:
    config = Dust3rConfig(
        enc_dim=32,
        enc_heads=tuple(heads),
        enc_ffn=(ffn,) * len(heads),
        dec_dim=16,
        dec_heads=(1, 2),
        dec_ffn=(ffn, 8),
        enc_head_dim=8,
        dec_head_dim=4,
        head=head,
        dpt=SMALL_DPT if head == "dpt" else None,
    )
    assert Dust3rConfig.from_dict(config.to_dict()) == config


def test_profiles_know_how_many_pixels_a_dpt_head_predicts() -> None:
    assert profile.DPT_PATCH == DPT_PATCH
