"""Pruning: what each criterion costs before any fine-tuning.

    python benchmarks/prune.py [--profile small] [--pairs 64] [--write FILE]

Run from the repository's root, with the profile's teacher in artifacts/PROFILE/ or at --teacher.

The teacher is cut by each criterion, rho and meaning of rho, as P-1 and P-2 cut it, and refitted.
Gradients and the refit read the embedded training set, so that nothing has to be drawn. The
validation set judges; the workload is not used. --write puts the table into a document, between the
two marks that name this script, as in docs/prune.md.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import torch
from documents import write_between
from rich.progress import track

from dust_compress.distill.students import at_training_patches
from dust_compress.prune.fine_tune import choose_cut, refitted
from dust_compress.prune.sensitivity import Judge
from dust_core.declared.project import ARTIFACTS
from dust_core.declared.specs import ResolvedTask, load_specs, resolve
from dust_core.errors import DustError
from dust_core.network.checkpoint import load_checkpoint
from dust_core.network.model import Dust3r
from dust_core.network.surgery.prune import prune

SPECS = Path("specs")
BEGIN, END = "<!-- benchmarks/prune.py -->", "<!-- end of criteria -->"
TASKS, CRITERIA, COUNTS = ("P-1", "P-2"), ("l1", "l2", "taylor"), ("parameters", "width")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="small")
    parser.add_argument("--teacher", type=Path, metavar="FILE")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pairs", type=int, help="validation pairs  [default: the profile's]")
    parser.add_argument("--write", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    try:
        path = arguments.teacher or ARTIFACTS / arguments.profile / "teacher_fp32.pth"
        teacher = load_checkpoint(path).network
        tasks = [embedded(name, arguments.profile, arguments.pairs) for name in TASKS]
        text = table(tasks, teacher)
        print(text)
        if arguments.write:
            write_between(BEGIN, END, text, arguments.write)
    except DustError as error:
        raise SystemExit(str(error)) from error


def embedded(name: str, profile: str, pairs: int | None) -> ResolvedTask:
    """The task, with the embedded training set and another number of validation pairs."""
    task = resolve(load_specs(SPECS), name, profile)
    recipe = task.profile.training.prune.model_copy(update={"shards": None})
    training = task.profile.training.model_copy(update={"prune": recipe})
    changes = {"training": training, "validation_pairs": pairs or task.profile.validation_pairs}
    return replace(task, profile=task.profile.model_copy(update=changes))


def table(tasks: list[ResolvedTask], teacher: Dust3r) -> str:
    """The drops by criterion, as a table in Markdown."""
    profile = tasks[0].profile
    guide = at_training_patches(teacher, profile.training.prune)
    judge = Judge(tasks[0], profile.training.prune, guide)
    rows = [
        f"Profile `{tasks[0].profile_name}`, {profile.validation_pairs} validation pairs at "
        f"{profile.training.prune.side} pixels. The teacher's loss is {judge.teacher['loss']:.3f}, "
        f"its delta1 {judge.teacher['delta1']:.3f}.\n",
        "| criterion | rho | counts | parameters | loss, cut | delta1, cut | loss, refitted "
        "| delta1, refitted |",
        "|---|---|---|---|---|---|---|---|",
    ]
    variants = [*product(CRITERIA, COUNTS, tasks)]
    for criterion, counts, task in track(variants, description="criteria", transient=True):
        rows.append(f"| {' | '.join(cells(task, guide, judge, criterion, counts))} |")
    return "\n".join(rows)


def cells(
    task: ResolvedTask, guide: Dust3r, judge: Judge, criterion: str, counts: str
) -> Iterator[str]:
    """The cells of a row."""
    changes = {"criterion": criterion, "rho_counts": counts}
    task = replace(task, common=task.common.model_copy(update=changes))
    cut = choose_cut(task, guide)
    learner = prune(guide, cut.kept)
    yield from (criterion, f"{task.task.rho:g}", counts)  # type: ignore[attr-defined]
    yield f"{100 * (parameters(learner) / parameters(guide) - 1):.1f} %"
    yield from judged(judge(learner))
    yield from judged(judge(refitted(task, learner, guide, cut.kept)))


def parameters(network: Dust3r) -> int:
    """How many numbers its weights have."""
    return sum(value.numel() for value in network.parameters())


def judged(measured: dict[str, Any]) -> Iterator[str]:
    """Loss and drop of delta1, or dashes where predictions could not be judged."""
    if "loss" not in measured:
        yield from ("-", "-")
    else:
        yield f"{measured['loss']:.3f}"
        yield f"{-measured['drop_percent']:+.1f} %"


if __name__ == "__main__":
    main()
