"""Distillation: the time of a step by part, and the effect of initialisations and loss terms.

    python benchmarks/distill.py steps [--profile small] [--steps 6] [--trim] [--embedded]
    python benchmarks/distill.py precision
    python benchmarks/distill.py trials [--pairs 256] [--only starts|terms] [--write FILE]

Run from the repository's root, with the profile's teacher in artifacts/PROFILE/ or at --teacher.
With --embedded the embedded training set takes the place of a set that is drawn elsewhere.

`steps` times whole training steps of K-1 by part, then the end of an epoch. With --trim, freed
memory goes back to the system, as it does where a training does not ask to keep it. `trials` trains
several students in turn, with the same number and order of pairs, augmentation and seed. It
evaluates them on the validation set at the end and does not use the workload. Such short runs rank
the students; they do not predict the end of a full training. --write puts the table into a
document, between the two marks that name this script, as in docs/distill.md. `precision` compares
products in FP32 and bf16 on this processor; trainings use bf16 only where the processor has
instructions for it.
"""

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from documents import write_between
from rich.console import Console  # noqa: TID251
from rich.table import Table
from torch.nn.utils import clip_grad_norm_
from torch.optim.swa_utils import AveragedModel

from dust_compress.distill.objective import DistillObjective, Seen, Weights
from dust_compress.distill.students import at_training_patches, start_student
from dust_compress.train import Validation
from dust_compress.train.memory import freed_memory_kept
from dust_compress.train.precision import computes_in_bf16
from dust_compress.train.state import TrainState, save_state
from dust_compress.train.task_training import open_feed, plan_for, train_by
from dust_compress.train.validation import validate_pairs
from dust_core.declared.project import ARTIFACTS
from dust_core.declared.specs import ResolvedTask, load_specs, resolve
from dust_core.declared.specs.models.base import SpecModel
from dust_core.declared.specs.models.distill import (
    DistillCommon,
    DistillLoss,
    DistillTask,
)
from dust_core.errors import DustError
from dust_core.network.checkpoint import load_checkpoint
from dust_core.network.model import Dust3r
from dust_core.pairs.feed.feed import PairBatch

TASK, SPECS = "K-1", Path("specs")
BEGIN, END = "<!-- benchmarks/distill.py trials -->", "<!-- end of trials -->"

Part = TypeVar("Part", bound=SpecModel)
Row = tuple[str, Validation | None, Validation]
"""A name, and the student's validation before and after its training."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One student: how it differs from the declared one.

    Attributes:
        name: the name of its row.
        changes: fields of the spec's task, student or loss, by name.
        random: start from random weights and keep only the student's shape.
    """

    name: str
    changes: dict[str, object] = field(default_factory=dict)
    random: bool = False

    def of(self, declared: Part) -> Part:
        """A part of the spec with this trial's changes."""
        known = type(declared).model_fields
        return declared.model_copy(update={k: v for k, v in self.changes.items() if k in known})


AS_DECLARED = Trial(name="as declared: even blocks, L1 units, refitted; task + KL")
STARTS = (
    Trial(name="not refitted", changes={"init": "teacher_layers"}),
    Trial(name="blocks by importance", changes={"blocks": "importance"}),
    Trial(name="the first heads and units", changes={"units": "first"}),
    Trial(name="random weights", random=True),
)
TERMS = (
    Trial(name="task alone", changes={"beta": 0.0}),
    Trial(name="KL alone", changes={"beta": 1.0}),
    Trial(name="task + KL + features", changes={"gamma": 0.1}),
    Trial(name="task + features", changes={"beta": 0.0, "gamma": 0.1}),
    Trial(name="task + KL `conf_softmax`", changes={"kl": "conf_softmax"}),
    Trial(name="task + KL `correlation`", changes={"kl": "correlation"}),
    Trial(name="task + KL `attention`", changes={"kl": "attention"}),
)


@dataclass
class Clock:
    """Seconds by part."""

    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[name] += time.perf_counter() - start


class TimedObjective(DistillObjective):
    """The objective, with a clock in its parts."""

    clock: Clock

    def _seen(self, network: Dust3r, batch: PairBatch) -> Seen:
        whose = "student, forward" if network is self.network else "teacher, forward"
        with self.clock.part(whose):
            return super()._seen(network, batch)

    def _divergence(self, *compared: Any) -> torch.Tensor:
        with self.clock.part("KL"):
            return super()._divergence(*compared)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("steps", "trials", "precision"))
    parser.add_argument("--profile", default="small")
    parser.add_argument("--teacher", type=Path, metavar="FILE")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--trim", action="store_true", help="give freed memory back")
    parser.add_argument("--embedded", action="store_true", help="read the embedded training set")
    parser.add_argument("--pairs", type=int, default=256, help="that each student sees")
    parser.add_argument("--only", choices=("starts", "terms"))
    parser.add_argument("--write", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.what == "precision":
        time_products()
        return
    try:
        task = resolve(load_specs(SPECS), TASK, arguments.profile)
        if arguments.embedded:
            task = on_embedded_set(task)
        path = arguments.teacher or ARTIFACTS / arguments.profile / "teacher_fp32.pth"
        teacher = load_checkpoint(path).network
        teacher = at_training_patches(teacher, task.profile.training.distill)
        if arguments.what == "steps":
            with nullcontext() if arguments.trim else freed_memory_kept():
                time_steps(task, teacher, arguments.steps)
        else:
            chosen = {"starts": STARTS, "terms": TERMS, None: STARTS + TERMS}[arguments.only]
            run_trials(task, teacher, (AS_DECLARED, *chosen), arguments.pairs, arguments.write)
    except DustError as error:
        raise SystemExit(str(error)) from error


def on_embedded_set(task: ResolvedTask) -> ResolvedTask:
    """The task with a recipe that reads the embedded training set."""
    training = task.profile.training
    distill = training.distill.model_copy(update={"shards": None})
    training = training.model_copy(update={"distill": distill})
    return replace(task, profile=task.profile.model_copy(update={"training": training}))


def time_products(side: int = 1024, seconds: float = 2.0) -> None:
    """Print how fast products of two square matrices are in FP32 and in bf16."""
    rates = {}
    for dtype in (torch.float32, torch.bfloat16):
        first, second = (torch.randn(side, side).to(dtype) for _ in range(2))
        first @ second
        calls, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            first @ second
            calls += 1
        rates[dtype] = calls * 2 * side**3 / (time.perf_counter() - start) / 1e9
        print(f"{dtype}: {rates[dtype]:.1f} GFLOP/s")
    print(f"bf16 / FP32: {rates[torch.bfloat16] / rates[torch.float32]:.3f}")
    print(f"trainings use bf16 here: {computes_in_bf16(torch.device('cpu'))}")


def time_steps(task: ResolvedTask, teacher: Dust3r, steps: int) -> None:
    """Print the time of a step by part, and of an epoch's end."""
    recipe = task.profile.training.distill
    objective = TimedObjective(start(task, teacher, AS_DECLARED), teacher, *aim(task, AS_DECLARED))
    network = objective.network
    optimiser = torch.optim.AdamW(network.parameters(), recipe.lr, fused=True)
    average = AveragedModel(network)
    feed, whole, processor = open_feed(task, recipe), 0.0, 0.0
    for step in range(steps + 1):
        if step == 1:  # the first step warms up
            whole, processor = time.perf_counter(), time.process_time()
        if step < 2:
            clock = objective.clock = Clock()
        with clock.part("feed"):
            batch = next(feed)
        with (
            clock.part("all forward"),
            torch.autocast("cpu", torch.bfloat16, enabled=recipe.autocast == "bf16"),
        ):
            total = objective(batch, 0.0)["total"]
        with clock.part("backward"):
            total.backward()
        with clock.part("optimiser and average"):
            clip_grad_norm_(network.parameters(), recipe.clip_norm)
            optimiser.step()
            optimiser.zero_grad()
            average.update_parameters(network)
    whole = (time.perf_counter() - whole) / steps
    processor = (time.process_time() - processor) / steps
    feed.close()
    seconds_of = clock.seconds
    inside = sum(seconds_of[name] for name in ("teacher, forward", "student, forward", "KL"))
    seconds_of["truth and task loss"] = seconds_of.pop("all forward") - inside

    table = Table(title=f"a step of {recipe.batch} pairs at {recipe.side}, both orders")
    for column in ("part", "time", "share"):
        table.add_column(column, justify="left" if column == "part" else "right")
    for name, seconds in sorted(seconds_of.items(), key=lambda row: -row[1]):
        table.add_row(name, f"{seconds / steps:.3f} s", f"{seconds / steps / whole:.0%}")
    table.add_row("whole", f"{whole:.3f} s", f"{recipe.batch / whole:.2f} pairs/s", style="bold")
    table.add_row(
        "processor time", f"{processor:.3f} s", f"{processor / recipe.batch:.3f} s a pair"
    )
    for name, seconds in epoch_end(task, objective, optimiser, average).items():
        table.add_row(f"an epoch's end: {name}", f"{seconds:.3f} s", "")
    Console().print(table)


def epoch_end(
    task: ResolvedTask,
    objective: DistillObjective,
    optimiser: torch.optim.Optimizer,
    average: AveragedModel,
) -> dict[str, float]:
    """Seconds of a first validation, of a later one, and of saving the state."""
    recipe = task.profile.training.distill
    validate = validate_pairs(task, recipe)
    clock = Clock()
    for name in ("the first validation", "a later validation"):
        with clock.part(name), torch.inference_mode():
            validate(objective.network)
    state = TrainState(best_weights=objective.network.state_dict())
    parts = {
        "network": objective.network.state_dict(),
        "optimiser": optimiser.state_dict(),
        "average": average.state_dict(),
    }
    with tempfile.TemporaryDirectory() as folder, clock.part("saving the state"):
        save_state(Path(folder) / "state.pt", state, plan_for(task, recipe, epochs=1), parts)
    return clock.seconds


def run_trials(
    task: ResolvedTask, teacher: Dust3r, trials: tuple[Trial, ...], pairs: int, file: Path | None
) -> None:
    """Train and evaluate every student, print the table after each, and write it at the end."""
    recipe = task.profile.training.distill.model_copy(update={"pairs_per_epoch": pairs})
    validate = validate_pairs(task, recipe)
    with torch.inference_mode():
        rows: list[Row] = [("the teacher", None, validate(teacher))]
    for trial in trials:
        student = start(task, teacher, trial)
        with torch.inference_mode():
            before = validate(student)
        objective = DistillObjective(student, teacher, *aim(task, trial))
        with tempfile.TemporaryDirectory() as folder:
            outcome = train_by(task, recipe, objective, epochs=1, folder=Path(folder))
        (entry,) = outcome.history
        after = {key[4:]: value for key, value in entry.items() if key.startswith("val/")}
        rows.append((trial.name, before, Validation(outcome.score, after)))
        print(markdown(rows), flush=True)
    if file is not None:
        seen = plan_for(task, recipe, epochs=1).steps * recipe.batch
        heading = (
            f"Profile `{task.profile_name}`, {seen} pairs of training each, judged by "
            f"{task.profile.validation_pairs} validation pairs:"
        )
        write_between(BEGIN, END, f"{heading}\n\n{markdown(rows)}", file)


def start(task: ResolvedTask, teacher: Dust3r, trial: Trial) -> Dust3r:
    """The student before its training."""
    common = task.common
    assert isinstance(common, DistillCommon)
    student = start_student(task, teacher, trial.of(common.student))
    if not trial.random:
        return student
    torch.manual_seed(task.workload.seed)
    return Dust3r(student.config)


def aim(task: ResolvedTask, trial: Trial) -> tuple[DistillLoss, Weights]:
    """The loss's form and weights."""
    own, common = task.task, task.common
    assert isinstance(own, DistillTask) and isinstance(common, DistillCommon)
    own = trial.of(own)
    weights = Weights(temperature=own.T, beta=own.beta, gamma=own.gamma, schedule=own.beta_schedule)
    return trial.of(common.loss), weights


def markdown(rows: list[Row]) -> str:
    """The trials as a table."""
    lines = [
        "| student | delta1 before | delta1 | loss before | loss | absrel |",
        "|---|---|---|---|---|---|",
    ]
    for name, before, after in rows:
        delta1, loss = ("", "") if before is None else (before.metrics["delta1"], before.score)
        cells = (delta1, after.metrics["delta1"], loss, after.score, after.metrics["absrel"])
        shown = (cell if isinstance(cell, str) else f"{cell:.3f}" for cell in cells)
        lines.append(f"| {name} | {' | '.join(shown)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
