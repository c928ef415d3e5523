"""A quantized network, measured together with its float baselines."""

from dataclasses import dataclass, replace
from pathlib import Path

from dust_compress.quantize.export import read_origin
from dust_compress.train import Outcome
from dust_compress.train.outcome import trained
from dust_core.declared.project import ARTIFACTS
from dust_core.declared.records import (
    BaselineRef,
    Execution,
    Result,
    build_result,
    record_parameters,
)
from dust_core.declared.specs import ResolvedTask
from dust_core.declared.specs.names import parse_exp_id
from dust_core.files import sha256_file
from dust_core.network.checkpoint import load_checkpoint
from dust_eval.measure.evaluate import Evaluation, Subject, evaluate
from dust_eval.measure.execution import baseline_beside
from dust_eval.measure.floats import floats_of


@dataclass(frozen=True)
class FloatNetwork:
    """A checkpoint in float, and the task that measured it."""

    file: str
    task: str

    def path(self, task: ResolvedTask) -> Path:
        """Its path under the task's profile."""
        return ARTIFACTS / task.profile_name / self.file


TEACHER = FloatNetwork("teacher_fp32.pth", "P0-2")
STUDENT = FloatNetwork("student_fp32_best.pth", "K-4")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The measurements of a process.

    Attributes:
        source: the float network that was quantized.
        quantized: the quantized network.
        fp32, reduced: the source in FP32 and in the profile's 16-bit type.
        teacher: the teacher in FP32; None if the teacher is the source.
    """

    source: FloatNetwork
    quantized: Evaluation
    fp32: Evaluation
    reduced: Evaluation
    teacher: Evaluation | None


def compare(
    task: ResolvedTask, source: FloatNetwork, graph: Path, engine: Path | None = None
) -> Comparison:
    """Measure a quantized network, its source in FP32 and in 16 bits, and the teacher, in turn.

    Args:
        graph, engine: the two files of the quantized network; the profile's runtime executes one.
            Scenes are timed where both are given.

    Raises:
        DustError: see `evaluate`.
    """
    executed = engine if engine and task.profile.runtime.name == "tensorrt" else graph
    floats, path = floats_of(task), source.path(task)
    network = load_checkpoint(path).network
    quantized, reduced = "the quantized network", f"{source.file} in {floats.reduced}"
    subjects = {
        quantized: Subject(
            path=executed,
            computed=f"int8+{floats.precision}",  # type: ignore[arg-type]
            network=network,
            graph=graph,
            scene=engine is not None,
        ),
        source.file: Subject(path=path, computed="fp32", network=network, scene=engine is not None),
        reduced: Subject(path=path, computed=floats.reduced, network=network, notes=reduced),
    }
    if source != TEACHER:
        subjects[TEACHER.file] = Subject(path=TEACHER.path(task), computed="fp32")
    measurements = evaluate(task, subjects, baseline=(source.task, source.file))
    return Comparison(
        source=source,
        quantized=measurements[quantized],
        fp32=measurements[source.file],
        reduced=measurements[reduced],
        teacher=None if source == TEACHER else measurements[TEACHER.file],
    )


def after_training(task: ResolvedTask, comparison: Comparison, outcome: Outcome) -> Comparison:
    """The comparison with the cost of training the quantized network."""
    quantized = comparison.quantized
    measured = trained(task, quantized.measured, (outcome,))
    return replace(comparison, quantized=replace(quantized, measured=measured))


def results_of(
    execution: Execution,
    comparison: Comparison,
    graph: Path,
    *,
    checkpoint: Path | None = None,
    engine: Path | None = None,
) -> tuple[Result, ...]:
    """Results of the quantized network, of its baselines and of its source in 16 bits.

    Args:
        graph: its metadata name the experiment of the network.
        checkpoint: the artifact of the task, if that is not the graph itself.
        engine: the engine that was compiled from the graph.

    Raises:
        DustError: a baseline has no result yet, or the graph is not from this project.
    """
    source, references = comparison.source, dict[str, BaselineRef]()
    source_result, reference = _baseline(execution, source, comparison.fp32)
    baselines = [source_result]
    references |= reference
    if comparison.teacher is not None:
        teacher_result, reference = _baseline(execution, TEACHER, comparison.teacher)
        baselines.insert(0, teacher_result)
        references = reference | references
    assert source_result.exp_id is not None
    return (
        _quantized_result(execution, comparison, references, graph, checkpoint, engine),
        *baselines,
        build_result(
            execution,
            record_parameters(parse_exp_id(source_result.exp_id)),
            comparison.reduced.measured,
            artifacts={source.file: sha256_file(source.path(execution.task))},
            role="reference",
            runtime=comparison.reduced.runtime,
            baselines=references,
        ),
    )


def _baseline(
    execution: Execution, network: FloatNetwork, evaluation: Evaluation
) -> tuple[Result, dict[str, BaselineRef]]:
    sha256 = sha256_file(network.path(execution.task))
    return baseline_beside(execution, network.task, evaluation, sha256, network.file)


def _quantized_result(
    execution: Execution,
    comparison: Comparison,
    references: dict[str, BaselineRef],
    graph: Path,
    checkpoint: Path | None,
    engine: Path | None,
) -> Result:
    evaluation, artifact = comparison.quantized, checkpoint or graph
    artifacts = {artifact.name: sha256_file(artifact)}
    notes = evaluation.measured.notes
    if engine is not None:
        artifacts[engine.name] = sha256_file(engine)
        if evaluation.runtime.name != "tensorrt":
            notes = f"{notes}; {engine.name} is compiled and not timed: no GPU on this machine"
    origin = read_origin(graph)
    return build_result(
        execution,
        record_parameters(*map(parse_exp_id, (origin.exp_id, *origin.built_on))),
        replace(evaluation.measured, notes=notes),
        artifacts=artifacts,
        runtime=evaluation.runtime,
        baselines=references,
    )
