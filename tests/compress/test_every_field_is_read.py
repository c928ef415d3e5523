"""The main line executed in miniature: what it writes, and that it obeys every declared field."""

import os
import re
import shutil
import subprocess
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
import typer
from pydantic import BaseModel

from dust_compress.distill.students import train_student
from dust_compress.initial_teacher import initial_network
from dust_compress.prune.saliency import saliency_by
from dust_core.cli import plugins
from dust_core.declared.executors import TASK_GROUP
from dust_core.declared.project import result_of
from dust_core.declared.records import ResultFile
from dust_core.declared.run import run
from dust_core.declared.specs import ResolvedTask, load_specs, resolve
from dust_core.declared.specs.decides import prose_of
from dust_core.declared.specs.models import KINDS, SpecModel
from dust_core.declared.specs.models.ablation import AblateCalibration, CalibrationVariant
from dust_core.declared.specs.models.training import DistillStage, Recipe, Start
from dust_core.errors import DustError
from dust_core.files import sha256_file
from dust_core.network.checkpoint import load_checkpoint
from dust_eval.gates.commands import gate
from dust_eval.runtimes.engine_manifest import verify_engine

sys.path.insert(0, str(Path(__file__).parent))

import tiny_line

pytestmark = pytest.mark.slow

BY_COMMAND = frozenset({"P0-1", "P0-teacher", "K-4", "KQ-1", "P-1"})
IMAGES = 16  # that ranges are calibrated on; the specs ask for 512, which take minutes

# Who reads a field without obeying it: digests, dumps, checks, comparisons, the derived names.
ELSEWHERE = ("pydantic", *(f"dust_core/declared/{name}" for name in ("checks", "change", "names")))
NAMING = frozenset({"experiment", "quant_name", "derived_exp_id", "variant_experiments"})

IDENTITY = frozenset({"does", "run"})  # who executes a task, and which attempt this is

Field = tuple[str, str]


@dataclass(frozen=True)
class Line:
    """The executed line: where it is, and which fields were read on the way."""

    root: Path
    read: frozenset[Field]

    @property
    def artifacts(self) -> Path:
        return self.root / "artifacts" / "tiny"

    def result(self, task: str) -> ResultFile:
        resolved = resolve(load_specs(self.root / "specs"), task, "tiny")
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.root)
            return result_of(resolved, task)


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    root = tmp_path_factory.mktemp("line") / "repository"
    root.mkdir()
    tiny_line.write_repository(root)
    read: set[Field] = set()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setattr(SpecModel, "__getattribute__", noting(read), raising=False)
        for task in tiny_line.LINE:
            execute(task)
        for task in ("P0-1", "P0-teacher"):
            run(task, profile="published", specs=Path("specs"))
        distill_by_other_terms()
        rank_by_gradients()
        go_on_from_the_teacher()
        # No network this small halves its latency, and ABL-2 has sizes that no spec declares.
        for stage in ("P2", "P5"):
            with pytest.raises(typer.Exit):
                gate(stage, profile="tiny", specs=Path("specs"), artifacts=Path("artifacts"))
        with pytest.raises(DustError, match="supply the checkpoint's sha256"):
            run("P0-1", profile="full", specs=Path("specs"))
    torch.set_num_threads(threads)
    yield Line(root, frozenset(read))


def execute(name: str) -> None:
    """`dust run` for some tasks, and the executor alone for the rest.

    An executor gets fewer images where the task calibrates, and a tenth of the timed turns, of
    which no spec may have fewer than 50.
    """
    if name in BY_COMMAND:
        run(name, profile="tiny", specs=Path("specs"))
    else:
        resolved = resolve(load_specs(Path("specs")), name, "tiny")
        timing = resolved.workload.timing.model_copy(update={"repeats": 5})
        workload = resolved.workload.model_copy(update={"timing": timing})
        smaller = replace(calibrated_on_fewer(resolved), workload=workload)
        plugins(TASK_GROUP)[resolved.task.does].load()(smaller)


def calibrated_on_fewer(task: ResolvedTask) -> ResolvedTask:
    """The task and the tasks that it builds on, with fewer images where they calibrate."""
    references = {name: calibrated_on_fewer(other) for name, other in task.references.items()}
    changes: dict[str, Any] = {}
    if hasattr(task.task, "calibration_images"):
        changes = {"calibration_images": IMAGES}
    if isinstance(task.task, AblateCalibration):
        sizes = [variant.calibration_images // 32 for variant in task.task.variants]
        changes = {
            "variants": tuple(map(few_images, sizes)),
            "outputs": tuple(
                re.sub(r"n(\d+)", lambda size: f"n{int(size[1]) // 32}", name)
                for name in task.task.outputs
            ),
            "claims": (),
        }
    changed = task.task.model_copy(update=changes) if changes else task.task
    return replace(task, task=changed, references=references)


def few_images(count: int) -> CalibrationVariant:
    """A variant that no spec may declare: ABL-2 compares 128, 256 and 512 images."""
    return CalibrationVariant.model_construct(calibration_images=count)


def distill_by_other_terms() -> None:
    """Train a student once more, in two stages, by the terms of the loss that the declared tasks
    do without."""
    declared = resolve(load_specs(Path("specs")), "K-1", "tiny")
    recipe = declared.profile.training.distill
    patch_size = recipe.patch_size or declared.profile.teacher.network.patch_size
    shared = {name: getattr(recipe, name) for name in Recipe.model_fields}
    later = DistillStage(**shared, share=0.5, patch_size=patch_size)
    training = declared.profile.training.model_copy(
        update={"distill": recipe.model_copy(update={"then": (later,)})}
    )
    loss = declared.common.loss.model_copy(update={"kl": "correlation"})
    task = replace(
        declared,
        task=declared.task.model_copy(update={"gamma": 0.1, "epochs": 2}),
        profile=declared.profile.model_copy(update={"training": training}),
        common=declared.common.model_copy(update={"loss": loss}),
        digest="0" * 64,  # a work folder of its own
    )
    teacher = load_checkpoint(Path("artifacts/tiny/teacher_fp32.pth")).network
    _, outcomes = train_student(task, teacher)
    assert [outcome.epochs for outcome in outcomes] == [1, 1]
    assert {"train/kl", "train/features"} <= outcomes[-1].history[-1].keys()


def rank_by_gradients() -> None:
    """Weigh the teacher's units by the criterion that the declared tasks do without."""
    task = resolve(load_specs(Path("specs")), "P-1", "tiny")
    common = task.common.model_copy(update={"criterion": "taylor"})
    teacher = load_checkpoint(Path("artifacts/tiny/teacher_fp32.pth")).network
    recipe = task.profile.training.prune.model_copy(update={"side": 64})
    saliency = saliency_by(task, teacher, common, recipe)
    assert saliency["enc_blocks.0.mlp.fc1.weight"].max() > 0


def go_on_from_the_teacher() -> None:
    """Begin a teacher from stored weights, as the tiny profile does not."""
    task = resolve(load_specs(Path("specs")), "P0-teacher", "tiny")
    path = "artifacts/tiny/teacher_fp32.pth"
    start = Start(checkpoint=path, sha256=sha256_file(Path(path)))
    stages = task.profile.training.teacher
    first = stages[0].model_copy(update={"start": start})
    training = task.profile.training.model_copy(update={"teacher": (first, *stages[1:])})
    profile = task.profile.model_copy(update={"training": training})
    assert initial_network(replace(task, profile=profile)).config.patch_size == first.patch_size


def noting(read: set[Field]) -> Any:
    """A `__getattribute__` that notes each field which the code reads in order to obey it."""

    def get(model: SpecModel, name: str) -> Any:
        if name in type(model).model_fields and obeys(sys._getframe(1)):
            read.add((home(type(model), name), name))
        return object.__getattribute__(model, name)

    return get


def obeys(reader: types.FrameType | None) -> bool:
    """Whether a frame, or what called it, is code that acts on what it reads."""
    while reader is not None:
        code = reader.f_code
        if any(f"/{part}" in code.co_filename for part in ELSEWHERE) or code.co_name in NAMING:
            return False
        if code.co_filename.endswith("declared/specs/decides.py"):
            return False
        # A model's own property is read for whoever asks for it.
        if "/specs/models/" not in code.co_filename and code.co_filename != __file__:
            return "/dust_" in code.co_filename
        reader = reader.f_back
    return False


def home(model: type[BaseModel], field: str) -> str:
    """The class that declares a field of a model."""
    return next(base.__name__ for base in model.__mro__ if field in vars(base)["__annotations__"])


def declared_fields() -> set[Field]:
    """Every field of every kind that an executor could obey, prose and envelopes aside."""
    known = set(plugins(TASK_GROUP))
    models: set[type[BaseModel]] = set()
    queue: list[Any] = [KINDS[kind].model_fields["spec"].annotation for kind in KINDS]
    while queue:
        annotation = queue.pop()
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            queue.extend(get_args(annotation))
        elif annotation not in models and executed(annotation, known):
            models.add(annotation)
            fields = annotation.model_fields
            prose = prose_of(annotation)
            queue.extend(f.annotation for name, f in fields.items() if name not in prose)
    return {
        (home(model, name), name)
        for model in models
        for name in model.model_fields
        if name not in prose_of(model) | IDENTITY
    }


def executed(model: type[BaseModel], known: set[str]) -> bool:
    """Whether a model belongs to a task that some package executes, or to no task in particular."""
    does = model.model_fields.get("does")
    if does is not None:
        return bool(set(get_args(does.annotation)) & known)
    tasks = model.model_fields.get("tasks")
    if tasks is None:
        return True
    names = {get_args(m.model_fields["does"].annotation)[0] for m in members(tasks.annotation)}
    return bool(names & known)


def members(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models in an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from members(inner)


def test_every_declared_field_is_read_by_an_executor(line: Line) -> None:
    unread = sorted(declared_fields() - line.read)
    assert not unread, "no executor reads " + ", ".join(".".join(field) for field in unread)


def test_each_task_writes_its_files_and_judges_its_lines(line: Line) -> None:
    specs = load_specs(line.root / "specs")
    for name in tiny_line.LINE:
        result = line.result(name)
        resolved = calibrated_on_fewer(resolve(specs, name, "tiny"))
        assert all((line.artifacts / output).is_file() for output in resolved.task.outputs), name
        judged = {verdict.gate for verdict in result.verdicts}
        # Q-1 met its line, so Q-2 had nothing to train and nothing to be judged by.
        needed = "not_needed" not in result.extra
        assert judged == (set(specs.tasks[name].gate) if needed else set()), name
    assert "not_needed" in line.result("Q-2").extra


def test_the_teacher_and_the_students_are_trained_and_say_how(line: Line) -> None:
    teacher = load_checkpoint(line.artifacts / "teacher_fp32.pth").network
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(line.root)
        start = initial_network(resolve(load_specs(Path("specs")), "P0-teacher", "tiny"))
    name = "enc_blocks.0.mlp.fc1.weight"
    assert not torch.equal(teacher.state_dict()[name], start.state_dict()[name].half().float())
    (record,) = line.result("P0-teacher").candidates
    assert "validation loss" in str(record.record.notes)
    weights = []
    for task in ("K-1", "K-2", "K-3"):
        (student,) = line.result(task).candidates
        assert student.record.params_M < record.record.params_M
        assert re.search(r"epoch \d+ of \d+ is best", str(student.record.notes))
        (file,) = student.provenance.artifacts
        weights.append(load_checkpoint(line.artifacts / file).network.state_dict()[name])
    assert not torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    curve = line.result("K-1").extra["curves"][0]
    assert curve[-1]["score"] < curve[0]["score"]


def test_the_student_that_goes_on_is_the_one_that_validation_finds_best(line: Line) -> None:
    log = line.result("K-4")
    kept = log.extra["kept"]
    standings = log.extra["validation"]
    assert standings[kept]["delta1"] == max(row["delta1"] for row in standings.values())
    best = sha256_file(line.artifacts / "student_fp32_best.pth")
    assert best == sha256_file(line.artifacts / standings[kept]["file"])
    (chosen,) = line.result("KQ-1").candidates
    assert chosen.provenance.artifacts == {"student_fp32_best.pth": best}


def test_the_quantized_student_is_measured_from_the_files_that_are_shipped(line: Line) -> None:
    graph, engine = (line.artifacts / f"student_int8.{suffix}" for suffix in ("onnx", "trt"))
    verify_engine(engine, graph)
    (trained,) = line.result("KQ-2").candidates
    (measured,) = line.result("KQ-3").candidates
    assert (trained.record.bits_w, trained.record.bits_a) == (8, 8)
    assert measured.provenance.artifacts == trained.provenance.artifacts
    assert measured.record.delta1 == trained.record.delta1
    assert "of 10" in str(trained.record.notes)


def test_two_ranks_train_the_student_that_one_trains(line: Line, tmp_path: Path) -> None:
    root = tmp_path / "repository"
    shutil.copytree(line.root, root)
    artifacts = root / "artifacts" / "tiny"
    tiny_line.edit(root / "specs/profiles/tiny.yaml", ("count: 1", "count: 2"))
    for path in (*(artifacts / ".work").glob("K-1-*"), artifacts / "student_fp32_t3b05.pth"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    done = subprocess.run(
        [sys.executable, "-m", "dust_core", "run", "K-1", "--profile", "tiny"],
        cwd=root, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "K-1 quality_kept: " in done.stdout
    ended = (artifacts / "logs" / "K-1.rank1.log").read_text()
    assert "this rank ends with the training, code 0" in ended
    alone = line.result("K-1").extra["curves"][0]
    together = replace(line, root=root).result("K-1").extra["curves"][0]
    assert len(alone) == len(together)
    for one_rank, two_ranks in zip(alone, together, strict=True):
        # The same pairs, summed in another order.
        assert two_ranks["score"] == pytest.approx(one_rank["score"], rel=1e-3)
