"""How far a student's activations are from the teacher's."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity


def feature_distance(
    student: Sequence[Tensor],
    teacher: Sequence[Tensor],
    distance: Literal["cosine", "squared"],
) -> Tensor:
    """Mean distance over tokens and over the pairs of activations.

    Students keep the teacher's embedding widths, so activations compare without a projection.

    Args:
        student, teacher: equally many activations (B, N, C); gradients flow to the student alone.
        distance: `cosine`, 1 - cos of the angle of two tokens; `squared`, the squared difference
            over the teacher's mean square, which gives layers of different scale the same weight.

    Returns:
        A scalar, at least 0.

    Raises:
        ValueError: there is no activation, or shapes differ.
    """
    if not student:
        raise ValueError("there is no activation to compare")
    terms = []
    for ours, theirs in zip(student, teacher, strict=True):
        if ours.shape != theirs.shape:
            raise ValueError(f"activations of {tuple(ours.shape)} and {tuple(theirs.shape)}")
        a, b = ours.float(), theirs.detach().float()
        if distance == "cosine":
            terms.append((1 - cosine_similarity(a, b, dim=-1)).mean())
        else:
            terms.append((a - b).square().mean() / b.square().mean().clamp(min=1e-12))
    return torch.stack(terms).mean()
