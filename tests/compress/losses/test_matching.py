"""Which tokens match, by geometry known in closed form, and what the loss makes of it."""

import math

import pytest
import torch

from dust_compress.losses.matching import matching_loss, matching_tokens
from dust_compress.losses.pointmaps import PairMask, PairPoints

SIDE, PATCH, FOCAL = 32, 8, 40.0
GRID = SIDE // PATCH
INTRINSICS = torch.tensor([[FOCAL, 0, 15.5], [0, FOCAL, 15.5], [0, 0, 1]])[None]


def wall(distance: float, shift: float = 0.0) -> torch.Tensor:
    """(1, H, W, 3): a wall in front of a camera that stands `shift` metres to the right."""
    pixels = torch.arange(SIDE, dtype=torch.float32) - 15.5
    y, x = torch.meshgrid(pixels, pixels, indexing="ij")
    points = torch.stack([x / FOCAL, y / FOCAL, torch.ones_like(x)], -1) * distance
    return (points + torch.tensor([shift, 0.0, 0.0]))[None]


def everywhere() -> PairMask:
    return PairMask(*(torch.ones(1, SIDE, SIDE, dtype=torch.bool) for _ in range(2)))


def matches(first: torch.Tensor, second: torch.Tensor, mask: PairMask) -> torch.Tensor:
    tokens = matching_tokens(PairPoints(first, second), mask, INTRINSICS, PATCH, same_surface=0.05)
    return tokens.view(GRID, GRID)


def loss(first: torch.Tensor, second: torch.Tensor, pairs: torch.Tensor) -> torch.Tensor:
    return matching_loss(first, second, pairs, channels=0.25, temperature=0.1)


def test_a_view_matches_itself_token_by_token() -> None:
    tokens = matches(wall(4), wall(4), everywhere())
    assert torch.equal(tokens, torch.arange(GRID**2).view(GRID, GRID))


def test_a_step_to_the_right_matches_the_next_column() -> None:
    # A patch is 8 pixels, 0.8 m on a wall at 4 m.
    tokens = matches(wall(4), wall(4, shift=0.8), everywhere())
    expected = torch.arange(GRID**2).view(GRID, GRID)[:, 1:]
    assert torch.equal(tokens[:, :-1], expected)
    assert (tokens[:, -1] == -1).all()  # it left view 1


def test_what_a_nearer_surface_hides_or_nobody_knows_has_no_match() -> None:
    assert (matches(wall(2), wall(4), everywhere()) == -1).all()
    unknown = everywhere()
    unknown.view2[:, : SIDE // 2] = False
    unknown.view1[:, :, : SIDE // 2] = False
    tokens = matches(wall(4), wall(4), unknown)
    assert (tokens[: GRID // 2] == -1).all() and (tokens[:, : GRID // 2] == -1).all()
    assert (tokens[GRID // 2 :, GRID // 2 :] >= 0).all()


def test_points_behind_view_1_have_no_match() -> None:
    assert (matches(wall(4), -wall(4), everywhere()) == -1).all()


def test_the_loss_is_that_of_chance_for_equal_tokens_and_falls_for_told_apart_ones() -> None:
    order = torch.randperm(16, generator=torch.Generator().manual_seed(0))[None]
    same = torch.ones(1, 16, 64)
    assert loss(same, same, order).item() == pytest.approx(math.log(16))
    apart = torch.eye(16).repeat(1, 4)[None]
    partners = apart[0, order[0]][None]
    # Cosine 1 with the match and 0 with 15 others, at a temperature of 0.1.
    assert loss(apart, partners, order).item() == pytest.approx(
        math.log(1 + 15 * math.exp(-10)), rel=1e-3
    )


def test_tokens_without_a_match_count_for_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.randn(1, 16, 64, generator=generator) for _ in range(2))
    half = torch.arange(16)[None].where(torch.arange(16) < 8, -1)
    alone = loss(first, second[:, :8], torch.arange(8)[None])
    torch.testing.assert_close(loss(first, second, half), alone)
    first.requires_grad_()
    none = loss(first, second, torch.full((1, 16), -1))
    none.backward()
    assert none.item() == 0 and first.grad is not None and not first.grad.any()
