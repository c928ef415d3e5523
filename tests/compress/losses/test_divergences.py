"""The distillation losses against numerical integration and closed forms."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from dust_compress.losses.attention import attention_kl
from dust_compress.losses.conf_softmax import confidence_softmax_kl
from dust_compress.losses.correlation import correlation_kl
from dust_compress.losses.features import feature_distance
from dust_compress.losses.pointmaps import PairMask, lengths
from dust_compress.losses.radial_laplace import divergence, radial_laplace_kl
from dust_core.network.model import PairPrediction

SCALES = st.floats(0.05, 5)


def integrated(b_s: float, b_t: float, d: float) -> float:
    """KL(Laplace(0, b_t) || Laplace(d, b_s)) by quadrature."""

    def integrand(x: float) -> float:
        log_t = -abs(x) / b_t - math.log(2 * b_t)
        log_s = -abs(x - d) / b_s - math.log(2 * b_s)
        return math.exp(log_t) * (log_t - log_s)

    edges = sorted({-60 * b_t, 0.0, d, d + 60 * b_t})
    return sum(quad(integrand, a, b, limit=200)[0] for a, b in pairwise(edges))


@given(SCALES, SCALES, st.floats(0, 3))
def test_at_temperature_1_it_is_the_divergence_of_two_laplace_laws(
    b_s: float, b_t: float, d: float
) -> None:
    value = divergence(torch.tensor(math.log(b_s / b_t)), torch.tensor(d / b_t), 1.0)
    assert float(value) == pytest.approx(integrated(b_s, b_t, d), rel=1e-3, abs=1e-4)


@given(SCALES, SCALES, st.floats(0.1, 2))
def test_a_high_temperature_leaves_a_quadratic_in_the_distance(
    b_s: float, b_t: float, d: float
) -> None:
    log_ratio = torch.tensor(math.log(b_s / b_t), dtype=torch.float64)
    distance = torch.tensor(d / b_t, dtype=torch.float64)
    same_place = divergence(log_ratio, torch.zeros((), dtype=torch.float64), 1e4)
    location = divergence(log_ratio, distance, 1e4) - same_place
    assert float(location) == pytest.approx(d * d / (2 * b_t * b_s), rel=1e-2)


@given(st.floats(-4, 4), st.floats(0, 200), st.floats(1, 20))
def test_it_is_never_negative_and_0_only_where_both_agree(
    log_ratio: float, distance: float, temperature: float
) -> None:
    value = float(divergence(torch.tensor(log_ratio), torch.tensor(distance), temperature))
    assert math.isfinite(value) and value >= -1e-5
    assert float(divergence(torch.tensor(0.0), torch.tensor(0.0), temperature)) == 0


def prediction(seed: int, grad: bool = False) -> PairPrediction:
    generator = torch.Generator().manual_seed(seed)
    points = [torch.randn(2, 6, 5, 3, generator=generator) for _ in range(2)]
    confidences = [1 + torch.rand(2, 6, 5, generator=generator).exp() for _ in range(2)]
    parts = (points[0], confidences[0], points[1], confidences[1])
    return PairPrediction(*(part.requires_grad_(grad) for part in parts))


EVERYWHERE = PairMask(*(torch.ones(2, 6, 5, dtype=torch.bool),) * 2)


def radial(student: PairPrediction, teacher: PairPrediction, mask: PairMask) -> torch.Tensor:
    return radial_laplace_kl(student, teacher, mask, temperature=3, alpha=0.2, clamp=100)


def test_the_radial_loss_ignores_scale_and_masked_pixels() -> None:
    student, teacher = prediction(0), prediction(1)
    larger = PairPrediction(
        5 * student.pts3d_1, student.conf_1, 5 * student.pts3d_2, student.conf_2
    )
    assert float(radial(larger, teacher, EVERYWHERE)) == pytest.approx(
        float(radial(student, teacher, EVERYWHERE)), rel=1e-4
    )
    mask = PairMask(EVERYWHERE.view1.clone(), EVERYWHERE.view2)
    mask.view1[:, 0] = False
    spoilt = PairPrediction(*(part.clone() for part in student))
    spoilt.conf_1[:, 0] = 50
    assert float(radial(spoilt, teacher, mask)) == pytest.approx(
        float(radial(student, teacher, mask)), rel=1e-5
    )
    assert float(radial(teacher, teacher, EVERYWHERE)) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_gradients_are_finite_even_where_both_agree(seed: int) -> None:
    student = prediction(seed, grad=True)
    teacher = PairPrediction(*(part.detach().clone() for part in prediction(seed)))
    loss = radial(student, teacher, EVERYWHERE)
    loss = loss + confidence_softmax_kl(student, teacher, EVERYWHERE, temperature=2)
    loss.backward()
    assert all(torch.isfinite(part.grad).all() for part in student if part.grad is not None)


def test_the_softmax_loss_is_the_textbook_one() -> None:
    student, teacher = prediction(0), prediction(1)
    value = float(confidence_softmax_kl(student, teacher, EVERYWHERE, temperature=2))
    expected = 0.0
    for ours, theirs in ((student.conf_1, teacher.conf_1), (student.conf_2, teacher.conf_2)):
        for a, b in zip(ours.flatten(1).numpy(), theirs.flatten(1).numpy(), strict=True):
            q, p = ((c - 1) ** 0.5 / ((c - 1) ** 0.5).sum() for c in (a, b))
            expected += 4 * float((p * np.log(p / q)).sum()) / 2
    assert value == pytest.approx(expected, rel=1e-4)


def test_a_view_without_a_pixel_adds_nothing() -> None:
    student, teacher = prediction(0), prediction(1)
    nowhere = PairMask(*(torch.zeros(2, 6, 5, dtype=torch.bool),) * 2)
    assert float(confidence_softmax_kl(student, teacher, nowhere, temperature=2)) == 0
    assert float(radial(student, teacher, nowhere)) == 0


def test_feature_distances_have_their_closed_forms() -> None:
    a, b = torch.eye(3)[None], torch.eye(3).roll(1, 0)[None]
    assert float(feature_distance([a], [a], "cosine")) == pytest.approx(0, abs=1e-6)
    assert float(feature_distance([a], [b], "cosine")) == pytest.approx(1)
    assert float(feature_distance([3 * b], [b], "squared")) == pytest.approx(4)
    with pytest.raises(ValueError, match="activations of"):
        feature_distance([a], [a[:, :2]], "cosine")


def test_lengths_are_norms_with_a_gradient_of_0_at_0() -> None:
    vectors = torch.tensor([[3.0, 4.0, 0.0], [0.0, 0.0, 0.0]], requires_grad=True)
    measured = lengths(vectors)
    measured.sum().backward()
    assert measured.tolist() == pytest.approx([5, 0], abs=1e-6)
    assert vectors.grad is not None
    assert vectors.grad.tolist() == [pytest.approx([0.6, 0.8, 0]), [0, 0, 0]]


def test_correlation_is_the_textbook_divergence_of_matches() -> None:
    generator = torch.Generator().manual_seed(1)
    ours, theirs = (
        tuple(torch.randn(1, n, 6, generator=generator) for n in (3, 4)) for _ in range(2)
    )
    expected = 0.0
    for row in range(3):
        shares = []
        for first, second in (theirs, ours):
            a, b = first[0, row].numpy(), second[0].numpy()
            cosines = b @ a / np.linalg.norm(a) / np.linalg.norm(b, axis=1)
            weights = np.exp(cosines / (0.1 * 2.0))
            shares.append(weights / weights.sum())
        p, q = shares
        expected += 4.0 * float((p * np.log(p / q)).sum()) / 3
    divergence = correlation_kl(ours, theirs, temperature=2.0, sharpness=0.1)
    assert float(divergence) == pytest.approx(expected, rel=1e-4)


def test_attention_is_the_textbook_divergence_of_mean_heads() -> None:
    generator = torch.Generator().manual_seed(2)
    ours, theirs = (
        tuple(torch.randn(1, heads, 3, 4, generator=generator) for _ in range(2))
        for heads in (1, 2)
    )
    shares = []
    for queries, keys in (theirs, ours):
        logits = np.einsum("hid,hjd->hij", queries[0].numpy(), keys[0].numpy()) / 2 / 3.0
        weights = np.exp(logits)
        shares.append((weights / weights.sum(-1, keepdims=True)).mean(0))
    p, q = shares
    expected = 9.0 * float((p * np.log(p / q)).sum(-1).mean())
    value = attention_kl([ours], [theirs], temperature=3.0)
    assert float(value) == pytest.approx(expected, rel=1e-4)
    with pytest.raises(ValueError, match="1 blocks of the student, 2 of the teacher"):
        attention_kl([ours], [theirs, theirs], temperature=3.0)
