"""Whether a result is the only one of its task, and the one that was recorded when it was made."""

import math
from collections.abc import Iterator

from dust_core.declared.records.proof.evidence import Evidence, Unproven
from dust_core.declared.records.proof.figures import CLOCK_ERROR
from dust_core.declared.records.record import utc_text
from dust_core.declared.specs.names import parse_exp_id
from dust_core.errors import DustError

_MEASURED_FILE = {"torch": ".pth", "onnxruntime": ".onnx", "openvino": ".onnx", "tensorrt": ".trt"}
"""The file whose size a record has, by runtime, where the task has such a file. A runtime that
reads graphs measures a checkpoint as an exported graph, which is no artifact."""


def second_files(evidence: Evidence) -> Iterator[Unproven]:
    """Files that claim to be of a task, beside the result of its declared run.

    The file of an earlier run may stay. It is named after its experiment.
    """
    for stored in evidence.files.values():
        task = evidence.tasks.get(stored.file.task)
        if task is None or stored.name == (declared := task.result_files[task.id]):
            continue
        runs = {_run(candidate.exp_id) for candidate in stored.file.candidates}
        named = {f"{candidate.exp_id}_log.json" for candidate in stored.file.candidates}
        earlier = all(0 < run < task.task.run for run in runs)
        if task.exp_id is None or not earlier or named != {stored.name}:
            yield stored.unproven(
                "twice",
                ("task",),
                f"a second result of {task.id}",
                f"{declared} alone",
                f"remove {stored.name}; another run needs the next run number in its spec",
            )


def other_sizes(evidence: Evidence) -> Iterator[Unproven]:
    """Sizes that are not those of the measured file, where that file is an artifact."""
    for _, stored in evidence.declared():
        for index, result in enumerate(stored.file.results):
            provenance, record = result.provenance, result.record
            if record is None or record.size_MB is None:
                continue
            suffix = _MEASURED_FILE[provenance.runtime.name] if provenance.runtime else ".pth"
            measured = [name for name in provenance.artifacts if name.endswith(suffix)]
            sizes = {size for name in measured if (size := _size(evidence, name)) is not None}
            if sizes and not any(math.isclose(record.size_MB, size / 1e6) for size in sizes):
                says = f"size_MB: {record.size_MB:.9g}"
                expected = f"{min(sizes) / 1e6:.9g}, the size of {measured[0]}"
                yield stored.unproven(
                    "size", ("results", index, "record", "size_MB"), says, expected
                )


def unrecorded(evidence: Evidence) -> Iterator[Unproven]:
    """Results of commits that the history lacks, and files that dvc.lock knows otherwise."""
    for task, stored in evidence.declared():
        written = evidence.outputs.get(stored.name)
        if written is not None and written.md5 != stored.md5:
            yield stored.unproven(
                "history",
                (),
                f"a file of MD5 {stored.md5[:12]}",
                f"{written.md5[:12]}, as {evidence.lock} recorded it when {task.id} ran",
                f"restore it with 'dvc pull --force {evidence.folder}/{stored.name}', "
                f"or run {task.id} with 'dvc repro'",
            )
        seen: set[str] = set()
        for index, result in enumerate(stored.file.results):
            commit, started = result.provenance.commit, result.provenance.started
            if evidence.commits is None or commit in seen:
                continue
            seen.add(commit)
            place = ("results", index, "provenance", "commit")
            made = evidence.commits.get(commit)
            if made is None:
                yield stored.unproven(
                    "history",
                    place,
                    f"commit {commit[:12]}",
                    "a commit that leads to the present one",
                    f"merge the branch that {task.id} ran on, without squashing it, "
                    f"or run {task.id} again",
                )
            elif started + CLOCK_ERROR < made:
                place = ("results", index, "provenance", "started")
                expected = f"a time after {utc_text(made)}, when its commit was made"
                yield stored.unproven("history", place, f"started: {utc_text(started)}", expected)


def _size(evidence: Evidence, name: str) -> int | None:
    written = evidence.outputs.get(name)
    return written.size if written else evidence.sizes.get(name)


def _run(exp_id: str | None) -> int:
    """The run of an experiment; 0 for what is no experiment's id."""
    try:
        return 0 if exp_id is None else parse_exp_id(exp_id).run
    except DustError:
        return 0
