import torch

from dust_core.network.model import Dust3r, Dust3rConfig
from dust_core.network.surgery.cut import Reduction, cut, kept_blocks
from dust_core.network.surgery.refit import refit

REDUCTION = Reduction(depth=0.3, heads=0.5, ffn=0.3)


def teacher() -> Dust3r:
    torch.manual_seed(0)
    config = Dust3rConfig.uniform(
        enc_dim=32, enc_depth=3, enc_heads=2, dec_dim=24, dec_depth=3, dec_heads=2, head="linear"
    )
    return Dust3r(config).eval()


def pair(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    images = torch.rand(2, 8, 3, 64, 64, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return images[0], images[1]


def distance(student: Dust3r, whole: Dust3r, seed: int) -> float:
    with torch.inference_mode():
        ours, theirs = student(*pair(seed)), whole(*pair(seed))
    return sum(float((a - b).norm() / b.norm()) for a, b in zip(ours[:2], theirs[:2], strict=True))


def test_a_refitted_start_is_nearer_to_the_teacher_on_images_that_it_has_not_seen() -> None:
    whole = teacher()
    plain, fitted = (cut(whole, REDUCTION).eval() for _ in range(2))
    refit(fitted, whole, kept_blocks(whole, REDUCTION), *pair(1), ridge=0.01)
    assert distance(fitted, whole, 2) < 0.7 * distance(plain, whole, 2)


def test_nothing_is_moved_where_nothing_is_missing() -> None:
    whole, nothing = teacher(), Reduction(depth=0, heads=0, ffn=0)
    same = cut(whole, nothing)
    refit(same, whole, kept_blocks(whole, nothing), *pair(1), ridge=0.01)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(same.state_dict()[name], value, rtol=1e-3, atol=1e-5)


def test_only_layers_that_write_to_the_stream_are_moved() -> None:
    whole = teacher()
    plain, fitted = (cut(whole, REDUCTION) for _ in range(2))
    refit(fitted, whole, kept_blocks(whole, REDUCTION), *pair(1), ridge=0.01)
    before, after = plain.state_dict(), fitted.state_dict()
    moved = {name.rsplit(".", 2)[-2] for name in before if not before[name].equal(after[name])}
    assert moved == {"proj", "fc2"}
    assert before["downstream_head1.proj.weight"].equal(after["downstream_head1.proj.weight"])
    assert before["patch_embed.proj.weight"].equal(after["patch_embed.proj.weight"])


def test_a_layer_that_reads_nothing_is_left_alone() -> None:
    whole = teacher()
    with torch.no_grad():
        for block in whole.enc_blocks:
            block.attn.qkv.weight.zero_()
            block.attn.qkv.bias.zero_()
    fitted = cut(whole, REDUCTION)
    refit(fitted, whole, kept_blocks(whole, REDUCTION), *pair(1), ridge=0.01)
    assert all(value.isfinite().all() for value in fitted.state_dict().values())
