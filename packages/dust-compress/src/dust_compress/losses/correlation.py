"""KL divergence between matchings of one view's tokens with the other's."""

from torch import Tensor
from torch.nn.functional import log_softmax, normalize


def correlation_kl(
    student: tuple[Tensor, Tensor],
    teacher: tuple[Tensor, Tensor],
    *,
    temperature: float,
    sharpness: float,
) -> Tensor:
    """T^2 KL(p_t || p_s), p_i = softmax_j(cos(a_i, b_j) / (s T)); mean over tokens and pairs.

    a and b are the encoder's tokens of the two views, so p_i is the distribution of token i of view
    1 over view 2. This is distillation (arXiv:1503.02531) with the other view's tokens as classes,
    as in contrastive matching with a temperature s. A cosine is at most 1; without that division
    every p_i would be nearly uniform. Only angles count, so a student may have another scale and
    even another width than its teacher.

    Args:
        student, teacher: tokens (B, N, C) of view 1 and (B, M, C) of view 2; gradients flow to the
            student alone.
        temperature: T.
        sharpness: s, the cosines' temperature at T = 1.

    Returns:
        A scalar, at least 0.
    """
    p, q = (
        _log_matches(first.float(), second.float(), sharpness * temperature)
        for first, second in (teacher, student)
    )
    p = p.detach()
    return temperature**2 * (p.exp() * (p - q)).sum(-1).mean()


def _log_matches(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    cosines = normalize(first, dim=-1) @ normalize(second, dim=-1).transpose(1, 2)
    return log_softmax(cosines / temperature, -1)
