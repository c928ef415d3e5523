"""The interleaved timing protocol."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from dust_core.declared.specs.models.workload import Timing
from dust_core.errors import DustError
from dust_eval.runtimes import Images, PairModel

_STABLE_CALLS = 3
_STABLE_SPREAD = 0.1
_LONGEST_WARMUP = 10  # times the declared warm-up


@dataclass(frozen=True)
class TurnSamples:
    """What was timed of one model.

    Attributes:
        ms: milliseconds by turn.
        settled: whether it became steady before the first turn.
    """

    ms: tuple[float, ...]
    settled: bool


def measure_latency(
    models: Sequence[PairModel],
    images: Images,
    timing: Timing,
    on_turn: Callable[[], None] = lambda: None,
) -> tuple[TurnSamples, ...]:
    """Time models on one pair, in turn in one process, after each has been warmed up.

    Each call is timed by the clock of the model's runtime: the host's on a CPU, events of the
    device on a GPU.

    Args:
        models: the candidate, its baseline, and other models in the report.
        images: two images (1, 3, H, W) float32 in [-1, 1].
        timing: the workload's protocol.
        on_turn: called after every turn, in which each model runs once.

    Returns:
        For each model its samples: the i-th of all were taken together, so that drift of the
        machine cancels in their ratios.

    Raises:
        DustError: the protocol names an order that is not implemented.
    """
    orders = list(_orders(timing, len(models)))
    settled = []
    for model in models:
        model.prepare(*images)
        settled.append(_warm_up(model, timing.warmup))
    taken: tuple[list[float], ...] = tuple([] for _ in models)
    for order in orders:
        for index in order:
            taken[index].append(_time_ms(models[index]))
        on_turn()
    return tuple(
        TurnSamples(tuple(samples), steady) for samples, steady in zip(taken, settled, strict=True)
    )


def _orders(timing: Timing, models: int) -> Iterator[list[int]]:
    """For each turn, the numbers of the models in the order in which they run."""
    if timing.order != "alternate":
        raise DustError(
            f"timing.order is {timing.order!r}, and only 'alternate' is built",
            where="workload",
            fix="set timing.order to alternate",
        )
    for turn in range(timing.repeats):
        # The first model changes too: the first call after a change of model has cold caches.
        yield [(place + turn) % models for place in range(models)]


def _warm_up(model: PairModel, least: int) -> bool:
    """Call the model until it is steady; False if it never becomes so."""
    # Clocks, caches and lazy compilation need different times: call until three calls agree.
    recent: list[float] = []
    for call in range(least * _LONGEST_WARMUP):
        recent = [*recent, _time_ms(model)][-_STABLE_CALLS:]
        steady = len(recent) == _STABLE_CALLS and max(recent) < (1 + _STABLE_SPREAD) * min(recent)
        if call + 1 >= least and steady:
            return True
    return False


def _time_ms(model: PairModel) -> float:
    return model.clock.time_ms(model.execute)
