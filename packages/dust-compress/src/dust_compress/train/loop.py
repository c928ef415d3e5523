"""The training loop."""

import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from dust_compress.train.averaging import moving_average
from dust_compress.train.compiled import trains_compiled
from dust_compress.train.distributed import World, data_parallel
from dust_compress.train.memory import freed_memory_kept
from dust_compress.train.monitor import Monitor
from dust_compress.train.optimiser import Optimisers
from dust_compress.train.origin import Origin, origin_of
from dust_compress.train.plan import TrainingPlan
from dust_compress.train.precision import computes_in_bf16, products_in
from dust_compress.train.state import TrainState, Weights, load_state, save_state
from dust_core.errors import DustError
from dust_core.stopping import STOPPING, exit_code_of

_DIVERGED = "lower the learning rate, or look for NaN in the data with `dust data check`"


class Feed(Protocol):
    """An endless stream of training batches whose position can be saved."""

    def __iter__(self) -> Iterator[Any]: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class Objective(nn.Module):
    """A network and its training loss.

    Subclasses implement `forward(batch, progress)`, which returns the named parts of the loss;
    `total` is minimised. `progress` runs from 0 to 1 over the declared steps.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: Any, progress: float) -> dict[str, Tensor]:
        raise NotImplementedError

    def compile_steps(self) -> None:
        """Let `torch.compile` fuse what a step spends its time in, where an objective can."""


@dataclass(frozen=True)
class Validation:
    """A network's validation: `score` decides (lower is better), `metrics` are logged."""

    score: float
    metrics: dict[str, float]


@dataclass(frozen=True)
class Outcome:
    """The best weights by validation, and figures of the training.

    Attributes:
        weights: the best weights.
        score: their validation score.
        best_epoch: the epoch that reached it, from 1 on.
        epochs: epochs trained.
        stopped_early: whether patience ended it.
        history: an entry for each epoch.
        seconds: time spent, over all its runs.
        widened: whether the plan asks for bf16 and the device computed in FP32.
        skipped: damaged samples that were left out, over all ranks.
        origin: where it was trained.
    """

    weights: Weights
    score: float
    best_epoch: int
    epochs: int
    stopped_early: bool
    history: list[dict[str, float]]
    seconds: float
    widened: bool
    origin: Origin
    skipped: int = 0


def train(
    objective: Objective,
    feed: Feed,
    plan: TrainingPlan,
    folder: Path,
    validate: Callable[[nn.Module], Validation],
    device: torch.device | None = None,
) -> Outcome:
    """Train `objective.network`, or resume where an earlier call in `folder` stopped.

    A training that was killed and resumed ends with the weights of an uninterrupted one, bit for
    bit on a CPU. After Ctrl-C or SIGTERM the current step ends, the state is saved, and an error is
    raised. Under `torchrun` the feed's batches are the rank's share, and the gradients are averaged
    over the ranks.

    Raises:
        DustError: stopped by a signal, a state of another plan, a loss that stays non-finite, or a
            validation that is not finite.
    """
    world = World.join("cpu" if device is None else device.type)
    objective.to(world.device)
    torch.manual_seed(plan.seed)
    if trains_compiled():
        objective.compile_steps()
    run = _Run(objective, feed, plan, folder, world)
    with (
        freed_memory_kept() if world.device.type == "cpu" else nullcontext(),
        Monitor(folder, plan, run.state, visible=world.rank == 0) as monitor,
        _stop_signals() as stop,
    ):
        batches = iter(feed)
        while not run.finished:
            run.optimise(batches, monitor)
            stopped, due = world.any(bool(stop), run.due())
            if run.state.step % plan.steps_per_epoch == 0:
                run.finish_epoch(validate, monitor)
            elif stopped or due:
                run.save()
            if stopped:
                by = stop[0].name if stop else "another rank"
                raise DustError(
                    f"stopped by {by} after {run.state.step} of {plan.steps} steps",
                    where=str(folder),
                    fix="run the same command again: it resumes here",
                    exit_code=exit_code_of(stop[0] if stop else signal.SIGTERM),
                )
        monitor.finish(run.state.best_epoch)
    state = run.state
    return Outcome(
        weights=state.best_weights,
        score=state.best_score,
        best_epoch=state.best_epoch,
        epochs=len(state.history),
        stopped_early=state.step < plan.steps,
        history=state.history,
        seconds=state.seconds,
        widened=plan.precision == "bf16" and not computes_in_bf16(run.world.device),
        origin=origin_of(run.world.device, compiled=trains_compiled()),
    )


class _Run:
    """A running training: the parts that change together and are saved together."""

    def __init__(
        self, objective: Objective, feed: Feed, plan: TrainingPlan, folder: Path, world: World
    ) -> None:
        self.network, self.feed, self.plan = objective.network, feed, plan
        self.path = folder / "state.pt"
        self.world = world
        self.parallel = data_parallel(objective, world)
        self.optimiser = Optimisers(self.network, plan)
        self.average = (
            AveragedModel(self.network, multi_avg_fn=moving_average(plan.ema_decay))
            if plan.ema_decay is not None
            else None
        )
        self.state = TrainState()
        self.sums: dict[str, Tensor | float] = {}
        self.saved_at = time.monotonic()
        self.skipped = 0
        saved = load_state(self.path, plan)
        if saved is not None:
            self.state, parts = saved
            self.sums = dict(self.state.running)
            self.network.load_state_dict(parts["network"])
            self.optimiser.load_state_dict(parts["optimiser"])
            self.feed.load_state_dict(parts["feed"][world.rank])
            if self.average is not None:
                self.average.load_state_dict(parts["average"])

    @property
    def finished(self) -> bool:
        epochs = len(self.state.history)
        patience = self.plan.patience
        out_of_patience = patience is not None and epochs - self.state.best_epoch >= patience
        return self.state.step >= self.plan.steps or (epochs > 0 and out_of_patience)

    def optimise(self, batches: Iterator[Any], monitor: Monitor) -> None:
        """One optimiser step over `accumulate` batches."""
        state, plan = self.state, self.plan
        rate = plan.learning_rate_at(state.step)
        self.optimiser.zero_grad()
        progress = state.step / plan.steps
        for index in range(plan.accumulate):
            last = index == plan.accumulate - 1
            with self.world.synchronised(self.parallel, last):
                with products_in(plan.precision, self.world.device):
                    losses = self.parallel(next(batches), progress)
                (losses["total"] / plan.accumulate).backward()
            for name, value in losses.items():
                # Summed on the device: to read a number back would hold up a GPU's queue.
                mean = value.detach().double() / plan.accumulate
                self.sums[name] = self.sums.get(name, 0.0) + mean
        norm = float(nn.utils.clip_grad_norm_(self.network.parameters(), plan.clip_norm))
        self._check(norm)
        if math.isfinite(norm):
            self.optimiser.step(rate)
            if self.average is not None:
                self.average.update_parameters(self.network)
        state.step += 1
        monitor.step(state.step, losses["total"].detach(), rate)

    def finish_epoch(self, validate: Callable[[nn.Module], Validation], monitor: Monitor) -> None:
        """Validate, remember the best, log, save."""
        state = self.state
        network = self.network if self.average is None else self.average.module
        network.eval()
        with torch.inference_mode():
            validation = validate(network)
        network.train()
        epoch = len(state.history) + 1
        if not math.isfinite(validation.score):
            raise DustError(
                f"the validation loss is {validation.score} after epoch {epoch}: the training has "
                "diverged",
                where=str(self.path.parent),
                fix=_DIVERGED,
                exit_code=1,
            )
        entry = {"epoch": float(epoch), "step": float(state.step), "score": validation.score}
        entry |= {f"train/{k}": float(v) / self.plan.steps_per_epoch for k, v in self.sums.items()}
        entry |= {f"val/{k}": v for k, v in validation.metrics.items()}
        state.history.append(entry)
        self.sums = {}
        if validation.score < state.best_score:
            state.best_score, state.best_epoch = validation.score, epoch
            state.best_weights = {k: v.detach().clone() for k, v in network.state_dict().items()}
        self.save()
        monitor.epoch(entry)

    def due(self) -> bool:
        return time.monotonic() - self.saved_at > 60 * self.plan.checkpoint_minutes

    def save(self) -> None:
        """Save every rank's position, and the rest once."""
        feeds = self.world.gather(self.feed.state_dict())
        now = time.monotonic()
        self.state.seconds += now - self.saved_at
        self.saved_at = now
        self.state.running = {name: float(value) for name, value in self.sums.items()}
        if self.world.rank > 0:
            return
        parts = {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "feed": feeds,
            "average": None if self.average is None else self.average.state_dict(),
        }
        save_state(self.path, self.state, self.plan, parts)

    def _check(self, norm: float) -> None:
        # A rare overflow is skipped; many in a row mean that the training has diverged.
        self.skipped = 0 if math.isfinite(norm) else self.skipped + 1
        if self.skipped >= 10:
            raise DustError(
                f"the gradient was not finite in 10 steps in a row, up to step {self.state.step}",
                where=str(self.path.parent),
                fix=_DIVERGED,
                exit_code=1,
            )


@contextmanager
def _stop_signals() -> Iterator[list[signal.Signals]]:
    """Collect SIGINT and SIGTERM in the yielded list, so that no step is cut off.

    What comes after the last step, such as during its validation, is raised after the block.
    """
    stop: list[signal.Signals] = []

    def note(number: int, frame: FrameType | None) -> None:
        stop.append(signal.Signals(number))

    before = {number: signal.signal(number, note) for number in STOPPING}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if stop:
        signal.raise_signal(stop[0])
