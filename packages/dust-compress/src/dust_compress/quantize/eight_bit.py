"""The executors of P2 and P3 that quantize, train with quantizers, and measure."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from dust_compress.engine.build import build_engine
from dust_compress.quantize.bias import correct_biases
from dust_compress.quantize.calibrate import calibration_run, sensitivity
from dust_compress.quantize.checkpoint import save_quantized
from dust_compress.quantize.export import export_int8, read_origin
from dust_compress.quantize.network import quantize
from dust_compress.quantize.objective import QatObjective
from dust_compress.quantize.origin import Origin
from dust_compress.train import Outcome
from dust_compress.train.distributed import all_ranks, device_of
from dust_compress.train.outcome import trained
from dust_compress.train.task_training import train_by, work_folder
from dust_core.declared.project import ARTIFACTS, result_of
from dust_core.declared.records import (
    BaselineRef,
    Execution,
    Measurement,
    Result,
    build_result,
    record_parameters,
)
from dust_core.declared.specs import ResolvedTask
from dust_core.declared.specs.models.quant import Policy, QatSchedule, QuantTask
from dust_core.declared.specs.names import exp_id, parse_exp_id
from dust_core.files import sha256_file
from dust_core.network.checkpoint import load_checkpoint
from dust_core.network.model import Dust3r
from dust_eval.measure.evaluate import Evaluation, Subject, evaluate
from dust_eval.measure.execution import baseline_beside, begin, write_results
from dust_eval.runtimes.engine_manifest import verify_engine

_TEACHER, _STUDENT = "teacher_fp32.pth", "student_fp32_best.pth"
_BASELINES = {_TEACHER: "P0-2", _STUDENT: "K-4"}


def ptq(task: ResolvedTask) -> None:
    """Quantize the teacher without training, and measure it beside the float one.

    Raises:
        DustError: a file or the calibration set is absent or damaged, or the keep-list is wrong.
    """
    execution, folder = begin(task), _folder(task)
    network = load_checkpoint(folder / _TEACHER).network
    _quantize(task, network, task.common, trained_next=False)
    path = folder / task.task.outputs[0]
    _export(task, network, path, Origin(_experiment(task)))
    layers = sensitivity(task, network)
    found = _measure(task, path, folder / _TEACHER)
    results = _results(execution, path, found, read_origin(path), _TEACHER)
    write_results(task, results, {"sensitivity": layers})


def qat(task: ResolvedTask) -> None:
    """Train the teacher with quantizers on, if quantizing it without training missed its line.

    Otherwise what was calibrated without training is handed on.

    Raises:
        DustError: see `ptq`; or the training was stopped.
    """
    own = task.task
    assert isinstance(own, QuantTask)
    execution, folder = begin(task), _folder(task)
    network = load_checkpoint(folder / _TEACHER).network
    path = folder / own.outputs[0]
    needed = _escalated(task)
    with all_ranks(task):
        outcome = _train(task, network, task.common) if needed else None
    if outcome is None:
        _quantize(task, network, task.common, trained_next=False)
    origin = _experiment(task) if needed else exp_id(own.quant_name(task.common, "PTQ"))
    save_quantized(network, path, task.common, exp_id=origin, spec_digest=task.digest)
    if outcome is None:
        extra = {"not_needed": "the network quantized without training meets its line"}
        artifacts = {path.name: sha256_file(path)}
        result = build_result(execution, None, Measurement(), artifacts=artifacts)
        write_results(task, (result,), extra, judged=False)
        return
    graph = work_folder(task) / "quantized.onnx"
    _export(task, network, graph, Origin(origin))
    found = _measure(task, graph, folder / _TEACHER)
    found["the candidate"] = _with_training(task, found["the candidate"], outcome)
    results = _results(execution, path, found, read_origin(graph), _TEACHER)
    write_results(task, results, {"curves": [outcome.history]})


def qat_student(task: ResolvedTask) -> None:
    """Train the best student with quantizers under P2's policy, export, compile, measure.

    Raises:
        DustError: see `qat`; or no compiler of engines is here.
    """
    own, folder = task.task, _folder(task)
    assert isinstance(own, QatSchedule)
    execution = begin(task)
    checkpoint = load_checkpoint(folder / _STUDENT)
    (policy_task,) = task.references.values()
    policy = policy_task.common
    with all_ranks(task):
        outcome = _train(task, checkpoint.network, policy)
    graph, engine = (folder / name for name in own.outputs)
    built_on = (str(checkpoint.exp_id), _experiment(policy_task))
    _export(task, checkpoint.network, graph, Origin(_experiment(task), built_on))
    build_engine(graph, engine, compiler=task.profile.runtime.compiler, floats="fp16")
    found = _measure(task, _measured(task, graph, engine), folder / _STUDENT)
    found["the candidate"] = _with_training(task, found["the candidate"], outcome)
    results = _results(execution, graph, found, read_origin(graph), _STUDENT, engine)
    write_results(task, results, {"curves": [outcome.history]})


def evaluate_quantized(task: ResolvedTask) -> None:
    """Measure a quantized network from its own files: Q-4 the teacher's, KQ-3 the student's.

    Raises:
        DustError: a file is absent, or another than the one that was compiled.
    """
    execution, folder = begin(task), _folder(task)
    graph, engine = (
        next(folder / name for name in task.task.inputs if name.endswith(suffix))
        for suffix in (".onnx", ".trt")
    )
    verify_engine(engine, graph)
    source = _STUDENT if _STUDENT in task.task.inputs else _TEACHER
    found = _measure(task, _measured(task, graph, engine), folder / source)
    results = _results(execution, graph, found, read_origin(graph), source, engine)
    write_results(task, results)


def _train(task: ResolvedTask, network: Dust3r, policy: Policy) -> Outcome:
    """Quantize the network and train it with quantizers in the last third, in place."""
    own = task.task
    assert isinstance(own, QatSchedule)
    _quantize(task, network, policy, trained_next=True)
    recipe = task.profile.training.qat
    outcome = train_by(task, recipe, QatObjective(network, own), epochs=own.epochs)
    network.load_state_dict(outcome.weights)
    return outcome


def _quantize(task: ResolvedTask, network: Dust3r, policy: Policy, *, trained_next: bool) -> None:
    own = task.task
    assert isinstance(own, QuantTask)
    network.to(device_of(task))
    run = calibration_run(task, own.calibration_images)
    quantize(network, policy, run)
    # Training learns its own biases, from the float network as it was.
    if policy.bias_correction and not trained_next:
        correct_biases(network, run)


def _export(task: ResolvedTask, network: Dust3r, path: Path, origin: Origin) -> None:
    shape = task.workload.images
    network.to("cpu")
    export_int8(network, path, origin, height=shape.height, width=shape.width)


def _measured(task: ResolvedTask, graph: Path, engine: Path) -> Path:
    """Of the two files of one network, the one that the profile's runtime executes."""
    return engine if task.profile.runtime.name == "tensorrt" else graph


def _measure(task: ResolvedTask, graph: Path, source: Path) -> dict[str, Evaluation]:
    """The quantized graph, the float network that it comes from in FP32 and in 16 bits, and the
    teacher, in one process.
    """
    reduced = task.profile.runtime.float_precision
    teacher = _folder(task) / _TEACHER
    network = load_checkpoint(source).network
    subjects = {
        "the candidate": Subject(path=graph, computed=f"int8+{reduced}", network=network),  # type: ignore[arg-type]
        source.name: Subject(path=source, computed="fp32", network=network),
        "in 16 bits": Subject(
            path=source, computed=reduced, network=network, notes=f"{source.name} in {reduced}"
        ),
    }
    if source != teacher:
        subjects[_TEACHER] = Subject(path=teacher, computed="fp32")
    return evaluate(task, subjects, baseline=(_BASELINES[source.name], source.name))


def _results(
    execution: Execution,
    measured_file: Path,
    found: Mapping[str, Evaluation],
    origin: Origin,
    source: str,
    engine: Path | None = None,
) -> tuple[Result, ...]:
    """The candidate, its baselines as measured beside it, and the float network in 16 bits."""
    folder = ARTIFACTS / execution.task.profile_name
    baselines: list[Result] = []
    references: dict[str, BaselineRef] = {}
    for name, baseline_task in _BASELINES.items():
        if name in found:
            result, reference = baseline_beside(
                execution, baseline_task, found[name], sha256_file(folder / name), name
            )
            baselines.append(result)
            references |= reference
    candidate, narrow = found["the candidate"], found["in 16 bits"]
    artifacts = {measured_file.name: sha256_file(measured_file)}
    notes = candidate.measured.notes
    if engine is not None:
        artifacts[engine.name] = sha256_file(engine)
        if candidate.runtime.name != "tensorrt":
            notes = f"{notes}; {engine.name} is compiled and not timed: no GPU on this machine"
    (float_network,) = (one for one in baselines if source in one.provenance.artifacts)
    assert float_network.exp_id is not None
    return (
        build_result(
            execution,
            record_parameters(*map(parse_exp_id, (origin.exp_id, *origin.built_on))),
            replace(candidate.measured, notes=notes),
            artifacts=artifacts,
            runtime=candidate.runtime,
            baselines=references,
        ),
        *baselines,
        build_result(
            execution,
            record_parameters(parse_exp_id(float_network.exp_id)),
            narrow.measured,
            artifacts={source: sha256_file(folder / source)},
            role="reference",
            runtime=narrow.runtime,
            baselines=references,
        ),
    )


def _with_training(task: ResolvedTask, found: Evaluation, outcome: Outcome) -> Evaluation:
    return replace(found, measured=trained(task, found.measured, outcome))


def _escalated(task: ResolvedTask) -> bool:
    """Whether a task that escalates to this one missed its line."""
    elders = (result_of(task, needed) for needed in task.task.needs)
    return any(verdict.status != "pass" for elder in elders for verdict in elder.verdicts)


def _experiment(task: ResolvedTask) -> str:
    assert task.exp_id is not None
    return task.exp_id


def _folder(task: ResolvedTask) -> Path:
    return ARTIFACTS / task.profile_name
