import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from dust_compress.train.muon import Muon, orthogonal
from dust_compress.train.optimiser import Optimisers
from dust_core.network.model import DptConfig, Dust3r, Dust3rConfig

sys.path.insert(0, str(Path(__file__).parent))

import tiny_training as tiny

SHAPE = {"enc_dim": 32, "enc_depth": 1, "enc_heads": 2, "dec_dim": 24, "dec_depth": 1}


DPT = DptConfig(layer_dims=(8, 8, 8, 8), feature_dim=8, last_dim=8)


def steps(optimiser: str, head: str = "linear") -> dict[str, Tensor]:
    """What one step moves every parameter by, under random gradients."""
    torch.manual_seed(0)
    network = Dust3r(Dust3rConfig.uniform(**SHAPE, dec_heads=3, head=head, dpt=DPT))
    optimisers = Optimisers(network, replace(tiny.PLAN, learning_rate=0.1, optimiser=optimiser))
    for parameter in network.parameters():
        parameter.grad = torch.randn_like(parameter)
        parameter.data.zero_()  # so that weight decay moves nothing
    optimisers.step(0.1)
    return {name: p.detach() for name, p in network.named_parameters()}


def test_muon_moves_the_blocks_matrices_by_orthogonal_ones_and_nothing_else() -> None:
    moved = steps("muon")
    first_adamw_step = 0.1  # a sign, but for gradients near AdamW's epsilon
    for name, step in moved.items():
        hidden = "blocks" in name or name.startswith("decoder_embed")
        if hidden and step.ndim == 2:
            size = torch.linalg.svdvals(step)
            # Five Newton-Schulz steps leave singular values between about 0.7 and 1.2 of one.
            assert size.max() < 2 * size.median() and size.min() > size.median() / 4, name
            assert 0.5 < float(step.square().mean().sqrt()) / (0.2 * first_adamw_step) < 1.5, name
        else:
            torch.testing.assert_close(
                step.abs(), torch.full_like(step, 0.1), rtol=0, atol=1e-3, msg=name
            )


def test_muon_moves_the_convolutions_of_a_head_as_matrices_of_their_filters() -> None:
    moved = {name: step for name, step in steps("muon", "dpt").items() if step.ndim == 4}
    by_signs = {name for name, step in moved.items() if float(step.abs().std()) < 1e-3}
    ends = {f"downstream_head{view}.dpt.head.4.weight" for view in (1, 2)}
    assert by_signs == {"patch_embed.proj.weight", *ends}
    for name in moved.keys() - by_signs:
        size = torch.linalg.svdvals(moved[name].flatten(1))
        assert size.max() < 2 * size.median() and size.min() > size.median() / 4, name


def test_adamw_moves_everything_by_signs() -> None:
    for name, step in steps("adamw").items():
        torch.testing.assert_close(
            step.abs(), torch.full_like(step, 0.1), rtol=0, atol=1e-3, msg=name
        )


def test_matrices_at_once_move_as_they_do_one_by_one():
    torch.manual_seed(0)
    shapes = [(8, 4), (4, 8), (8, 4), (6, 6), (4, 8)]
    ours = [nn.Parameter(torch.randn(shape)) for shape in shapes]
    theirs = [nn.Parameter(p.detach().clone()) for p in ours]
    batched = Muon(ours, lr=1e-2, weight_decay=0.1)
    single = torch.optim.Muon(theirs, lr=1e-2, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    for _ in range(4):
        for a, b in zip(ours, theirs, strict=True):
            a.grad = torch.randn_like(a)
            b.grad = a.grad.clone()
        batched.step()
        single.step()
    for a, b, shape in zip(ours, theirs, shapes, strict=True):
        # Theirs computes in bf16 wherever it runs.
        assert (a - b).abs().max() < 4 * 1e-2 * 0.2 * max(shape) ** 0.5 * 0.02


def test_directions_become_nearly_orthogonal():
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonal(torch.randn(3, 16, 40)).float())
    assert values.min() > 0.6 and values.max() < 1.3
