"""The objective of a student."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from dust_compress.losses.attention import Products, attention_kl, watch_cross_attention
from dust_compress.losses.conf_softmax import confidence_softmax_kl
from dust_compress.losses.confidence import confidence_loss
from dust_compress.losses.correlation import correlation_kl
from dust_compress.losses.features import feature_distance
from dust_compress.losses.pointmaps import PairMask
from dust_compress.losses.radial_laplace import radial_laplace_kl
from dust_compress.train import Objective
from dust_compress.train.compiled import compile_blocks
from dust_compress.train.pairs import (
    Supervision,
    attention_for,
    encode_both_orders,
    supervise_both_orders,
)
from dust_core.declared.specs.models.distill import BetaSchedule, DistillLoss, TeachingLoss
from dust_core.network.model import Dust3r, PairPrediction
from dust_core.pairs.feed.feed import PairBatch


@dataclass(frozen=True, kw_only=True)
class Weights:
    """(1 - beta) task + beta KL_T + gamma features.

    Attributes:
        temperature: T of the KL term.
        beta, gamma: weights of the KL and of the feature term.
        schedule: a change of beta during the training; None keeps it.
    """

    temperature: float
    beta: float
    gamma: float
    schedule: BetaSchedule | None = None

    def beta_at(self, progress: float) -> float:
        """beta when `progress`, from 0 to 1, of the training is done."""
        if self.schedule is not None and progress >= self.schedule.after:
            return self.schedule.to
        return self.beta


class Seen(NamedTuple):
    """What the blocks of a network make of 2B pairs.

    Attributes:
        tokens: the encoder's, of view 1 and of view 2.
        outputs: of the encoder and of every decoder block, by view, as the heads read them.
        grid: rows and columns of tokens.
        attention: queries and keys of the hooked decoder blocks' cross-attention, where the KL term
            compares them.

    Hooks are those of a DPT head (`Dust3rConfig.hooks`): as many in a student of any depth as in
    its teacher, at the same relative depths.
    """

    tokens: tuple[Tensor, Tensor]
    outputs: tuple[list[Tensor], list[Tensor]]
    grid: tuple[int, int]
    attention: list[Products]


class DistillObjective(Objective):
    """The student's loss against truth and teacher, each pair in both orders.

    Args:
        student: the network to train.
        teacher: a frozen network on the student's device.
        loss: the form of the loss; only a `DistillLoss` has a feature term.
        weights: the weights of its parts.
        span: where this training begins and ends in the whole one, whose progress the schedule of
            the weights follows.
    """

    network: Dust3r

    def __init__(
        self,
        student: Dust3r,
        teacher: Dust3r,
        loss: TeachingLoss,
        weights: Weights,
        *,
        span: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        super().__init__(student)
        self.loss, self.weights, self.span = loss, weights, span
        # In a list, so that neither the optimiser nor a checkpoint includes it.
        self._teacher = [teacher.requires_grad_(False).eval()]
        self.compared = DistillObjective._compared

    def forward(self, batch: PairBatch, progress: float) -> dict[str, Tensor]:
        device = next(self.network.parameters()).device
        batch = PairBatch(*(part.to(device) for part in batch))
        teacher = self._teacher[0].to(device)
        with torch.no_grad():
            theirs = self._seen(teacher, batch)
        parts = self.compared(self, batch, self._seen(self.network, batch), theirs)
        begin, end = self.span
        beta = self.weights.beta_at(begin + progress * (end - begin))
        total = (1 - beta) * parts["task"] + beta * parts["kl"]
        if "features" in parts:
            total = total + self.weights.gamma * parts["features"]
        return {"total": total, **parts}

    def compile_steps(self) -> None:
        if self.loss.kl != "attention":  # compiled blocks show no one their queries and keys
            for network in (self.network, *self._teacher):
                compile_blocks(network)
        self.compared = torch.compile(self.compared, dynamic=False)

    def _compared(self, batch: PairBatch, ours: Seen, theirs: Seen) -> dict[str, Tensor]:
        """The parts of the loss, not weighted."""
        truth = supervise_both_orders(batch)
        predicted = _read_out(self.network, ours)
        with torch.no_grad():
            taught = _read_out(self._teacher[0], theirs)
        parts = {
            "task": self._task(predicted, truth),
            "kl": self._divergence(predicted, taught, ours, theirs),
        }
        if self.weights.gamma and isinstance(self.loss, DistillLoss):
            parts["features"] = feature_distance(
                _features(self.network, ours, self.loss.features),
                _features(self._teacher[0], theirs, self.loss.features),
                self.loss.feature_distance,
            )
        return parts

    def _task(self, predicted: PairPrediction, truth: Supervision) -> Tensor:
        match self.loss.task:
            case "conf_loss":
                return confidence_loss(predicted, truth.points, truth.mask, self.loss.alpha)

    def _divergence(
        self, predicted: PairPrediction, taught: PairPrediction, ours: Seen, theirs: Seen
    ) -> Tensor:
        least, temperature = self.loss.mask_below_confidence, self.weights.temperature
        mask = PairMask(taught.conf_1 >= least, taught.conf_2 >= least)
        match self.loss.kl:
            case "radial_laplace":
                return radial_laplace_kl(
                    predicted,
                    taught,
                    mask,
                    temperature=temperature,
                    alpha=self.loss.alpha,
                    clamp=self.loss.confidence_clamp,
                )
            case "conf_softmax":
                return confidence_softmax_kl(predicted, taught, mask, temperature=temperature)
            case "correlation":
                return correlation_kl(
                    ours.tokens,
                    theirs.tokens,
                    temperature=temperature,
                    sharpness=self.loss.correlation_sharpness,
                )
            case "attention":
                return attention_kl(ours.attention, theirs.attention, temperature=temperature)

    def _seen(self, network: Dust3r, batch: PairBatch) -> Seen:
        unwatched = nullcontext(list[list[Products]]())
        watched = watch_cross_attention(network) if self.loss.kl == "attention" else unwatched
        with attention_for(network, batch.image1):
            both, exchanged = encode_both_orders(network, batch.image1, batch.image2)
            with watched as attended:
                outputs = network.decoder_outputs(both, exchanged)
            attention = [own[hook - 1] for own in attended for hook in network.config.hooks[1:]]
            return Seen((both.tokens, exchanged.tokens), outputs, both.grid, attention)


def _read_out(network: Dust3r, seen: Seen) -> PairPrediction:
    return network.read_out(*seen.outputs, seen.grid, seen.grid)


def _features(network: Dust3r, seen: Seen, compared: Sequence[str]) -> list[Tensor]:
    """The declared features, at the hooks of a DPT head (`Dust3rConfig.hooks`)."""
    features = [seen.tokens[0]] if "enc_norm" in compared else []
    if "decoder_hooks" in compared:
        hooks = network.config.hooks[1:]
        features += [outputs[hook] for outputs in seen.outputs for hook in hooks]
    return features
