"""The teacher's loss against its closed forms, and confidences that stay alive."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from dust_compress.losses.confidence import confidence_floor, confidence_loss
from dust_compress.losses.pointmaps import PairMask, PairPoints, residuals
from dust_core.network.model import PairPrediction

ALPHA = 0.2
LOWEST = 0.05
MASK = PairMask(*(torch.ones(1, 4, 4, dtype=torch.bool),) * 2)


def points(seed: int) -> PairPoints:
    generator = torch.Generator().manual_seed(seed)
    return PairPoints(*(torch.rand(1, 4, 4, 3, generator=generator) + 1 for _ in range(2)))


def predicted(guessed: PairPoints, confidence: Tensor) -> PairPrediction:
    return PairPrediction(guessed.view1, confidence, guessed.view2, confidence)


@given(st.floats(1.01, 50), st.floats(0.01, 100))
def test_the_truth_at_any_scale_costs_only_the_reward(confidence: float, scale: float) -> None:
    truth = points(0)
    guessed = PairPoints(*(p * scale for p in truth))
    loss = confidence_loss(
        predicted(guessed, torch.full((1, 4, 4), confidence)), truth, MASK, ALPHA
    )
    assert float(loss) == pytest.approx(
        -2 * ALPHA * torch.tensor(confidence).log().item(), abs=1e-3
    )


def test_the_best_confidence_is_alpha_over_the_residual() -> None:
    truth = points(0)
    # The pair's scale is the truth's: what one point gains in distance, its opposite loses.
    shift = torch.full((1, 4, 4, 1), 0.02)
    shift[:, ::2] *= -1
    guessed = PairPoints(truth.view1 * (1 + shift), truth.view2 * (1 + shift))
    logit = torch.zeros(1, 4, 4, requires_grad=True)
    optimiser = torch.optim.Adam([logit], lr=0.05)
    for _ in range(400):
        optimiser.zero_grad()
        confidence_loss(predicted(guessed, 1 + logit.exp()), truth, MASK, ALPHA).backward()
        optimiser.step()
    # Both views share the logit: the residual is their mean.
    mean = sum(residuals(guessed, truth, MASK), torch.zeros(())) / 2
    assert torch.allclose(1 + logit.exp(), ALPHA / mean, rtol=0.01)


def learned(weight: float) -> float:
    """The confidence after residuals of 1 for long, and then of 0.01."""
    logit = torch.zeros(1, 4, 4, requires_grad=True)
    optimiser = torch.optim.SGD([logit], lr=8)  # Adam would undo the shrinking of the gradient
    truth = points(0)
    for residual in [1.0] * 400 + [0.01] * 400:
        guessed = PairPoints(*(p + residual * torch.tensor([1.0, -1.0, 0.0]) for p in truth))
        guess = predicted(guessed, 1 + logit.exp())
        loss = confidence_loss(guess, truth, MASK, ALPHA) + weight * confidence_floor(
            guess, MASK, LOWEST
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return float(1 + logit.detach().exp().mean())


def test_a_confidence_that_had_nothing_to_trust_recovers_only_with_the_floor() -> None:
    assert learned(0.0) < 1.1
    assert learned(0.05) > 2


def test_the_floor_is_free_above_it_and_finite_at_a_confidence_of_1() -> None:
    at = [torch.full((1, 4, 4), value, requires_grad=True) for value in (1.05 + 1e-6, 2.0, 1e3)]
    for confidence in at:
        assert float(confidence_floor(predicted(points(0), confidence), MASK, LOWEST).detach()) == 0
    dead = torch.ones(1, 4, 4, requires_grad=True)
    floor = confidence_floor(predicted(points(0), dead), MASK, LOWEST)
    floor.backward()
    assert (
        float(floor.detach()) > 100 and dead.grad is not None and bool(dead.grad.isfinite().all())
    )


def test_pixels_without_truth_pay_nothing() -> None:
    confidence = torch.ones(1, 4, 4)
    confidence[0, 0, 0] = float("inf")
    mask = PairMask(*(torch.zeros(1, 4, 4, dtype=torch.bool),) * 2)
    assert float(confidence_floor(predicted(points(0), confidence), mask, LOWEST)) == 0
