"""The objective of a student."""

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
    """A network's outputs for 2B pairs: its prediction, and the other compared values.

    Attributes:
        prediction: the output of the heads.
        activations: the declared features.
        tokens: the encoder's, of view 1 and of view 2.
        attention: queries and keys of the hooked decoder blocks' cross-attention.

    Hooks are those of a DPT head (`Dust3rConfig.hooks`): as many in a student of any depth as in
    its teacher, at the same relative depths.
    """

    prediction: PairPrediction
    activations: list[Tensor]
    tokens: tuple[Tensor, Tensor]
    attention: list[Products]


class DistillObjective(Objective):
    """The student's loss against truth and teacher, each pair in both orders.

    Args:
        student: the network to train.
        teacher: a frozen network on the student's device.
        loss: the form of the loss; only a `DistillLoss` has a feature term.
        weights: the weights of its parts.
    """

    network: Dust3r

    def __init__(
        self, student: Dust3r, teacher: Dust3r, loss: TeachingLoss, weights: Weights
    ) -> None:
        super().__init__(student)
        self.loss, self.weights = loss, weights
        # In a list, so that neither the optimiser nor a checkpoint includes it.
        self._teacher = [teacher.requires_grad_(False).eval()]

    def forward(self, batch: PairBatch, progress: float) -> dict[str, Tensor]:
        device = next(self.network.parameters()).device
        batch = PairBatch(*(part.to(device) for part in batch))
        truth = supervise_both_orders(batch)
        teacher = self._teacher[0].to(device)
        with torch.no_grad():
            theirs = self._seen(teacher, batch)
        ours = self._seen(self.network, batch)
        beta = self.weights.beta_at(progress)
        parts = {
            "task": self._task(ours.prediction, truth),
            "kl": self._divergence(ours, theirs),
        }
        total = (1 - beta) * parts["task"] + beta * parts["kl"]
        if self.weights.gamma and isinstance(self.loss, DistillLoss):
            parts["features"] = feature_distance(
                ours.activations, theirs.activations, self.loss.feature_distance
            )
            total = total + self.weights.gamma * parts["features"]
        return {"total": total, **parts}

    def _task(self, predicted: PairPrediction, truth: Supervision) -> Tensor:
        match self.loss.task:
            case "conf_loss":
                return confidence_loss(predicted, truth.points, truth.mask, self.loss.alpha)

    def _divergence(self, ours: Seen, theirs: Seen) -> Tensor:
        least, temperature = self.loss.mask_below_confidence, self.weights.temperature
        predicted, taught = ours.prediction, theirs.prediction
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
        with attention_for(network, batch.image1):
            both, exchanged = encode_both_orders(network, batch.image1, batch.image2)
            with watch_cross_attention(network) as attended:
                outputs1, outputs2 = network.decoder_outputs(both, exchanged)
            hooks = network.config.hooks[1:]
            activations = []
            compared = self.loss.features if isinstance(self.loss, DistillLoss) else ()
            if "enc_norm" in compared:
                activations.append(both.tokens)
            if "decoder_hooks" in compared:
                activations += [outputs[hook] for outputs in (outputs1, outputs2) for hook in hooks]
            attention = [own[hook - 1] for own in attended for hook in hooks]
            prediction = network.read_out(outputs1, outputs2, both.grid, both.grid)
            return Seen(prediction, activations, (both.tokens, exchanged.tokens), attention)
