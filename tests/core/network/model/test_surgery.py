import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dust_core.network.model import Dust3r, Dust3rConfig
from dust_core.network.model.named import CONFIGS
from dust_core.network.surgery.cut import Reduction, cut

CONFIG = Dust3rConfig.uniform(
    enc_dim=32, enc_depth=4, enc_heads=4, dec_dim=32, dec_depth=3, dec_heads=4, head="linear"
)


def teacher() -> Dust3r:
    torch.manual_seed(3)
    return Dust3r(CONFIG).eval()


def pair() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    first, second = torch.rand(2, 1, 3, 32, 32, generator=generator) * 2 - 1
    return first, second


@pytest.mark.parametrize("rule", ["even", "importance"])
def test_nothing_taken_away_is_the_teacher(rule: str) -> None:
    original = teacher()
    same = cut(original, Reduction(depth=0, heads=0, ffn=0), depth_rule=rule).eval()
    with torch.inference_mode():
        for a, b in zip(original(*pair()), same(*pair()), strict=True):
            assert torch.equal(a, b)


def test_a_student_of_the_published_network_is_a_third_smaller_everywhere() -> None:
    config = CONFIGS["DUSt3R_ViTLarge_BaseDecoder_512_dpt"]
    with torch.device("meta"):
        student = cut(Dust3r(config), Reduction(depth=0.3, heads=0.3, ffn=0.3), units="first")
    smaller = student.config
    pairs = [
        (len(config.enc_heads), len(smaller.enc_heads)),
        (len(config.dec_heads), len(smaller.dec_heads)),
        (config.enc_heads[0], smaller.enc_heads[0]),
        (config.dec_heads[0], smaller.dec_heads[0]),
        (config.enc_ffn[0], smaller.enc_ffn[0]),
        (config.dec_ffn[0], smaller.dec_ffn[0]),
    ]
    assert all(0.25 <= 1 - small / big <= 0.37 for big, small in pairs), pairs
    assert (smaller.enc_dim, smaller.dec_dim) == (config.enc_dim, config.dec_dim)


def test_dead_heads_and_units_are_the_ones_that_go() -> None:
    original = teacher()
    with torch.no_grad():
        for block in (*original.enc_blocks, *original.dec_blocks, *original.dec_blocks2):
            # Head 1 and the even hidden units write nothing.
            for name in ("attn", "cross_attn"):
                if hasattr(block, name):
                    getattr(block, name).proj.weight[:, 8:16] = 0
            block.mlp.fc2.weight[:, ::2] = 0
            block.mlp.fc1.weight[::2] = 0
    student = cut(original, Reduction(depth=0, heads=0.25, ffn=0.5)).eval()
    assert student.config.enc_heads == (3,) * 4
    with torch.inference_mode():
        for a, b in zip(original(*pair()), student(*pair()), strict=True):
            torch.testing.assert_close(a, b)


def test_idle_blocks_are_the_ones_that_go_by_importance() -> None:
    original = teacher()
    with torch.no_grad():
        for stack, index in ((original.enc_blocks, 1), (original.dec_blocks, 2)):
            others = [stack[index]] + ([original.dec_blocks2[index]] if index == 2 else [])
            for block in others:
                for layer in (block.attn.proj, block.mlp.fc2):
                    layer.weight.zero_()
                    layer.bias.zero_()
                if hasattr(block, "cross_attn"):
                    block.cross_attn.proj.weight.zero_()
                    block.cross_attn.proj.bias.zero_()
    student = cut(original, Reduction(depth=0.3, heads=0, ffn=0), depth_rule="importance").eval()
    assert (len(student.enc_blocks), len(student.dec_blocks)) == (3, 2)
    with torch.inference_mode():
        for a, b in zip(original(*pair()), student(*pair()), strict=True):
            torch.testing.assert_close(a, b)


def test_even_depth_keeps_first_and_last() -> None:
    original = teacher()
    student = cut(original, Reduction(depth=0.5, heads=0, ffn=0))
    for kept, source in ((0, 0), (1, 3)):
        assert torch.equal(
            student.enc_blocks[kept].mlp.fc1.weight, original.enc_blocks[source].mlp.fc1.weight
        )


@settings(max_examples=25)
@given(
    depth=st.floats(0, 0.95),
    heads=st.floats(0, 0.95),
    ffn=st.floats(0, 0.95),
    rule=st.sampled_from(["even", "importance"]),
)
def test_any_cut_runs(depth: float, heads: float, ffn: float, rule: str) -> None:
    student = cut(teacher(), Reduction(depth=depth, heads=heads, ffn=ffn), depth_rule=rule)
    with torch.inference_mode():
        assert all(torch.isfinite(t).all() for t in student.eval()(*pair()))


def test_a_share_of_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"heads is 1, must be in \[0, 1\)"):
        Reduction(depth=0, heads=1, ffn=0)
