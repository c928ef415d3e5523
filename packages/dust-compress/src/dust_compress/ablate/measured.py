"""The networks of an ablation and the teacher, measured together and written as results."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dust_compress.ablate.taken import Taken
from dust_compress.distill.students import largest_rise_of
from dust_compress.quantize.comparison import TEACHER
from dust_compress.train import Outcome
from dust_compress.train.outcome import trained, trained_by
from dust_core.declared.project import ARTIFACTS
from dust_core.declared.records import (
    Execution,
    Measurement,
    Result,
    build_result,
    record_parameters,
)
from dust_core.declared.records.provenance import Precision
from dust_core.declared.specs import ResolvedTask
from dust_core.declared.specs.variants import Variant, base_experiment
from dust_core.files import sha256_file
from dust_core.network.checkpoint import load_checkpoint
from dust_eval.measure.evaluate import Subject, evaluate
from dust_eval.measure.execution import baseline_beside, write_results

_TEACHER = "the teacher"


def measure_variants(
    execution: Execution,
    variants: Sequence[Variant],
    taken: Taken | None,
    computed: Precision,
    outcomes: Mapping[str, Sequence[Outcome]] | None = None,
) -> None:
    """Measure the networks in turn, and write the ablation's result file.

    Every variant is a candidate, and the teacher the baseline of its drops. A base that is no
    variant is a reference. `extra` says which network is the base, which were taken from the base
    task, and how the others were trained.

    Args:
        variants: the networks, whose files are written.
        taken: the executed base, if its network was taken.
        computed: the precision in which the networks compute.
        outcomes: the trainings by experiment.

    Raises:
        DustError: see `evaluate`; or the teacher has no result yet.
    """
    task, done = execution.task, outcomes or {}
    path = TEACHER.path(task)
    network = load_checkpoint(path).network
    subjects = {_TEACHER: Subject(path=path, computed="fp32", network=network)}
    for variant in variants:
        file = ARTIFACTS / task.profile_name / variant.file
        own = network if file.suffix == ".onnx" else None
        subjects[variant.exp_id] = Subject(path=file, computed=computed, network=own)
    evaluations = evaluate(task, subjects, baseline=(TEACHER.task, _TEACHER))
    baseline, references = baseline_beside(
        execution, TEACHER.task, evaluations[_TEACHER], execution.inputs[TEACHER.file], TEACHER.file
    )
    candidates = [variant for variant in variants if variant.name.is_variant]
    scored = [_is_complete(evaluations[variant.exp_id].measured) for variant in candidates]
    results: list[Result] = []
    for variant in variants:
        stages = done.get(variant.exp_id, ())
        measured = _with_origin(task, variant, evaluations[variant.exp_id].measured, taken, stages)
        if variant in candidates:
            quantities = {**measured.quantities, "missing_variants": scored.count(False)}
            measured = replace(measured, quantities=quantities)
        results.append(
            build_result(
                trained_by(execution, stages),
                record_parameters(variant.name, base_experiment(task)),
                measured,
                artifacts={variant.file: sha256_file(ARTIFACTS / task.profile_name / variant.file)},
                role="candidate" if variant in candidates else "reference",
                runtime=evaluations[variant.exp_id].runtime,
                baselines=references,
            )
        )
    write_results(task, (*results, baseline), _extra(variants, taken, done))


def _is_complete(measured: Measurement) -> bool:
    """Whether a network was scored, and neither its weights nor its predictions are NaN."""
    return bool(measured.per_pair) and not measured.quantities["nan_count"]


def _with_origin(
    task: ResolvedTask,
    variant: Variant,
    measured: Measurement,
    taken: Taken | None,
    stages: Sequence[Outcome],
) -> Measurement:
    """The measurement with where the network is from, and what its training cost."""
    if stages:
        rise = {"validation_loss_rise": largest_rise_of(stages)}
        return trained(task, measured, stages, rise)
    if taken is None or not variant.is_base:
        return measured
    notes = "; ".join(filter(None, (taken.note, measured.notes)))
    reasons = {**measured.reasons, "gpu_hours": f"counted in the record of {taken.task}"}
    return replace(measured, notes=notes, reasons=reasons)


def _extra(
    variants: Sequence[Variant], taken: Taken | None, outcomes: Mapping[str, Sequence[Outcome]]
) -> dict[str, Any]:
    bases = [variant.exp_id for variant in variants if variant.is_base]
    return {
        "base": bases[0],
        "taken": {exp_id: taken.source() for exp_id in bases} if taken else {},
        "trainings": {
            exp_id: {"curves": [o.history for o in stages], "best_epoch": stages[-1].best_epoch}
            for exp_id, stages in outcomes.items()
        },
    }
