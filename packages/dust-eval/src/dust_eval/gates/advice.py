"""What to try after a line is missed: a sentence for each quantity, by what its task does."""

from collections.abc import Collection, Iterator, Mapping

from dust_core.declared.records import QUALITY_METRICS, Verdict
from dust_core.declared.specs.models.gates import METRICS
from dust_core.tracked import PULL
from dust_eval.gates.judge import lacks_a_result
from dust_eval.gates.stage import TaskVerdicts

_PAIRS = "more pairs or epochs in the profile's recipe, under its next run (docs/distill.md)"
_LAYERS = (
    "keep in float the layers that the sensitivity in its log puts first, or refit longer "
    "(docs/quantize.md)"
)
_RATIO = "lower the ratio, or refit longer (docs/prune.md)"
_QUALITY = {
    "distill": f"give the student {_PAIRS}",
    "select-student": f"give the students {_PAIRS}",
    **dict.fromkeys(("ptq", "qat", "evaluate-quant", "qat-student", "evaluate-kq"), _LAYERS),
    **dict.fromkeys(("prune", "evaluate-pruned"), _RATIO),
}
_OTHERWISE = "compare its best and worst pairs in the report ('nox -s report')"
_LATENCY = (
    "see with 'dust doctor' what this processor computes fast: on a CPU eight bits need VNNI or "
    "AMX, and a network larger than that of ci, whose products take little of its time "
    "(docs/quantize.md)"
)
_AGAIN = "measure again while nothing else runs, or declare more turns in workload.yaml"
_BY_METRIC = {
    "t_pair_p50_down": _LATENCY,
    "t_pair_p50_down_fastest_float": _LATENCY,
    "size_or_params_down": "raise the ratio, or take fewer layers out of eight bits",
    "quality_rank": "train the students on more pairs under their next run, so that validation and "
    "workload agree on the best (docs/distill.md)",
    "delta1": "train the teacher longer, under its next run (docs/teacher.md)",
    "validation_loss_rise": "lower the learning rate of the recipe",
    "nan_count": "find in its log the step after which values are not finite, and lower the "
    "learning rate",
    "missing_fields": "read in its log why fields are absent, and run it again",
    "missing_pairs": f"fetch the workload with '{PULL}', or import its missing pairs",
    "missing_variants": "read in its log why variants are absent, and run it again",
    "engine_built": "see with 'dust doctor' which runtimes this machine has",
}


def advice(
    tasks: tuple[TaskVerdicts, ...],
    does: Mapping[str, str],
    *,
    again: str,
    executed: Collection[str] = (),
) -> Iterator[str]:
    """A line for each thing to try, with the tasks that it is for.

    Args:
        tasks: the verdicts of a stage.
        does: what each of its tasks does.
        again: the command that runs the stage.
        executed: those of its tasks that the lock names: their results can be fetched.
    """
    asked: dict[str, list[str]] = {}
    for task in tasks:
        for verdict in () if task.settled else task.verdicts:
            if lacks_a_result(verdict):
                fetch = f"fetch the result with '{PULL}', or " if task.task in executed else ""
                what: str | None = f"{fetch}run '{again}'"
            else:
                what = _what(verdict, does.get(task.task, ""))
            if what is not None:
                asked.setdefault(what, []).append(task.task)
    for what, names in asked.items():
        yield f"{', '.join(dict.fromkeys(names))}: try this: {what}"


def _what(verdict: Verdict, does: str) -> str | None:
    """What to try; None after a pass, and where the reason says what to do."""
    if verdict.status == "pass" or verdict.value is None:
        return None
    if verdict.status == "inconclusive":
        sampled = METRICS[verdict.metric].sampled and verdict.interval is not None
        return _AGAIN if sampled and "straddles" in (verdict.reason or "") else None
    if verdict.metric.removesuffix("_drop") in QUALITY_METRICS and verdict.baseline is not None:
        return _QUALITY.get(does, _OTHERWISE)
    return _BY_METRIC.get(verdict.metric, _OTHERWISE)
