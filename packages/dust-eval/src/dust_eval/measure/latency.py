"""The interleaved timing protocol."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

from dust_eval.runtimes import Images, PairModel

_STABLE_CALLS = 3
_STABLE_SPREAD = 0.1
_LONGEST_WARMUP = 10  # times the declared warm-up


@dataclass(frozen=True)
class Timing:
    """How often to call: before the first timed call, and timed, of each model."""

    warmup: int
    repeats: int


def measure_latency(
    models: Sequence[PairModel],
    images: Images,
    timing: Timing,
    on_turn: Callable[[], None] = lambda: None,
) -> tuple[tuple[float, ...], ...]:
    """Time models on one pair, in turn in one process, after each has become steady.

    Args:
        models: the candidate, its baseline, and whatever is reported beside them.
        images: two images (1, 3, H, W) float32 in [-1, 1].
        on_turn: told of every turn, in which each model is called once.

    Returns:
        For each model its milliseconds by turn: the i-th samples of all were taken together, so
        that drift of the machine cancels in their ratios.
    """
    for model in models:
        model.prepare(*images)
        _warm_up(model, timing.warmup)
    samples: tuple[list[float], ...] = tuple([] for _ in models)
    for turn in range(timing.repeats):
        # Who goes first changes too: the first call after a change of model finds cold caches.
        for place in range(len(models)):
            index = (place + turn) % len(models)
            samples[index].append(_time_ms(models[index]))
        on_turn()
    return tuple(tuple(own) for own in samples)


def _warm_up(model: PairModel, least: int) -> None:
    # Clocks, caches and lazy compilation settle at their own pace: go on until three calls agree.
    recent: list[float] = []
    for call in range(least * _LONGEST_WARMUP):
        recent = [*recent, _time_ms(model)][-_STABLE_CALLS:]
        steady = len(recent) == _STABLE_CALLS and max(recent) < (1 + _STABLE_SPREAD) * min(recent)
        if call + 1 >= least and steady:
            return


def _time_ms(model: PairModel) -> float:
    start = perf_counter()
    model.execute()
    return 1000 * (perf_counter() - start)
