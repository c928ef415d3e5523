"""Whether two measurements of one network agree."""

import math
from collections.abc import Iterator, Sequence

from dust_core.declared.records.proof.evidence import Evidence, Loc, Stored, Unproven
from dust_core.declared.records.provenance import Provenance
from dust_core.declared.records.result import Result
from dust_core.tracked import PULL

FP32_AGREEMENT = 2.0**-14
"""How far two FP32 measurements of one network may differ, relative to the value, where device,
runtime or measuring code differ: 1024 roundings of 2^-24. Between two processors `dust audit` saw
a fifteenth of it at most (docs/audit.md). A difference of this size moves a drop by 0.006 %, and no
line is that fine."""

_COUNTED = ("params_M", "flops_G")
_BUILDS_ALIKE = ("torch", "onnxruntime", "openvino")
"""Runtimes that compute the same from the same file. A compiler of engines may build two engines
of one graph that round differently."""


def disagreements(evidence: Evidence) -> Iterator[Unproven]:
    """Copies of a baseline that are not its own task's result, and one file with two qualities."""
    for _, stored in evidence.declared():
        yield from _references(evidence, stored)
        for index, copy in stored.with_role("baseline"):
            yield from _copy(evidence, stored, index, copy)
    yield from _same_file(evidence)


def _references(evidence: Evidence, stored: Stored) -> Iterator[Unproven]:
    """What a candidate names as its baseline is what the baseline's task measured."""
    for index, result in stored.with_role("candidate", "reference"):
        for task_id, reference in result.provenance.baselines.items():
            own = evidence.result_of(task_id)
            if own is None:
                continue
            digests = {
                digest
                for candidate in own.file.candidates
                if candidate.exp_id == reference.exp_id
                for digest in candidate.provenance.artifacts.values()
            }
            if reference.sha256 not in digests:
                yield stored.unproven(
                    "agreement",
                    ("results", index, "provenance", "baselines", task_id),
                    f"{reference.exp_id}, {reference.sha256[:12]}",
                    f"the experiment and the artifact of {task_id} in {own.name}",
                )


def _copy(evidence: Evidence, stored: Stored, index: int, copy: Result) -> Iterator[Unproven]:
    """A baseline that was measured again gives what its own task measured."""
    at: Loc = ("results", index)
    owners = {
        task_id
        for _, result in stored.with_role("candidate", "reference")
        for task_id, reference in result.provenance.baselines.items()
        if reference.exp_id == copy.exp_id
    }
    if not owners:
        place = (*at, "record", "exp_id")
        yield stored.unproven(
            "agreement", place, f"a baseline {copy.exp_id}", "a baseline that a candidate names"
        )
    for task_id in sorted(owners):
        own = evidence.result_of(task_id)
        original = None if own is None else _measured_alike(own, copy)
        if own is None or original is None:
            yield Unproven(
                kind="agreement",
                task=stored.file.task,
                file=stored.name,
                loc=at,
                says=f"{copy.exp_id}, measured again",
                expected=f"its own result, of {task_id} in {evidence.folder}, to compare with",
                fix=f"fetch it with '{PULL}', or run {task_id}",
                absent=own is None,
            )
        elif not set(original.provenance.artifacts.values()) & set(
            copy.provenance.artifacts.values()
        ):
            place = (*at, "provenance", "artifacts")
            expected = f"the artifact that {task_id} measured, as {own.name} names it"
            yield stored.unproven("agreement", place, "another artifact", expected)
        else:
            yield from _compared(stored, at, copy, original, f"{task_id} in {own.name}")


def _measured_alike(own: Stored, copy: Result) -> Result | None:
    """The result of the baseline's task in the precision of the copy."""
    for _, result in own.with_role("candidate", "reference"):
        runtime, expected = result.provenance.runtime, copy.provenance.runtime
        precise = runtime and expected and runtime.precision == expected.precision
        if precise and result.exp_id == copy.exp_id:
            return result
    return None


def _same_file(evidence: Evidence) -> Iterator[Unproven]:
    """One file in one precision on one device, runtime and measuring code has one quality."""
    first: dict[tuple[str, str], tuple[Stored, Result]] = {}
    for _, stored in evidence.declared():
        for index, result in stored.with_role("candidate", "reference"):
            runtime = result.provenance.runtime
            if runtime is None or runtime.name not in _BUILDS_ALIKE:
                continue
            for digest in sorted(set(result.provenance.artifacts.values())):
                earlier = first.setdefault(
                    (digest, _conditions(result.provenance)), (stored, result)
                )
                if earlier[1] is not result:
                    before = f"{earlier[1].exp_id} in {earlier[0].name}, the same file"
                    yield from _compared(stored, ("results", index), result, earlier[1], before)
                    break


def _conditions(provenance: Provenance) -> str:
    """All that decides the quality of a file."""
    runtime = provenance.runtime.model_dump_json() if provenance.runtime else ""
    parts = (provenance.device.fingerprint, provenance.workload_sha256, provenance.measuring_code)
    return f"{runtime} {parts}"


def _compared(
    stored: Stored, at: Loc, result: Result, original: Result, source: str
) -> Iterator[Unproven]:
    alike = _conditions(result.provenance) == _conditions(original.provenance)
    runtime = result.provenance.runtime
    exact = alike and runtime is not None and runtime.name in _BUILDS_ALIKE
    tolerance = 0.0 if exact else FP32_AGREEMENT
    degree = "to the last digit" if exact else f"within {tolerance:.2g} of its value"
    for metric, values in result.provenance.per_pair.items():
        expected = original.provenance.per_pair.get(metric, ())
        pair = _first_difference(values, expected, tolerance)
        if pair is not None:
            place = (*at, "provenance", "per_pair", metric)
            says = f"{metric} of pair {pair + 1}: {values[pair]:.9g}"
            due = f"{expected[pair]:.9g} {degree}, from {source}"
            yield stored.unproven("agreement", place, says, due)
            return
    for field in (*_COUNTED, *(("size_MB",) if exact else ())):
        ours, theirs = getattr(result.record, field, None), getattr(original.record, field, None)
        if ours is not None and theirs is not None and ours != theirs:
            place = (*at, "record", field)
            says = f"{field}: {ours:.9g}"
            yield stored.unproven("agreement", place, says, f"{theirs:.9g}, from {source}")


def _first_difference(
    values: Sequence[float], expected: Sequence[float], tolerance: float
) -> int | None:
    """The index of the first pair whose values differ; None where all agree.

    How many pairs there are is a question of its own.
    """
    for index, (value, due) in enumerate(zip(values, expected, strict=False)):
        if not math.isclose(value, due, rel_tol=tolerance, abs_tol=tolerance):
            return index
    return None
