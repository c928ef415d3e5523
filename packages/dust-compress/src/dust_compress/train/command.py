"""The verb `dust train`: the training of a task alone, on the device that is at hand."""

from contextlib import nullcontext
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dust_core.declared.options import ProfileOption, SpecsOption
from dust_core.declared.project import ARTIFACTS, SPECS
from dust_core.errors import DustError

if TYPE_CHECKING:
    from dust_core.declared.specs import ResolvedTask

_TRAININGS = {
    "ablate-loss": "dust_compress.ablate.trained:write_trained",
    "distill": "dust_compress.distill.students:write_student",
    "prune": "dust_compress.prune.executors:write_pruned",
    "train-teacher": "dust_compress.teacher:write_teacher",
}
"""For each `does`, the function that trains and writes the network."""


def train(
    task: Annotated[str, typer.Argument(help="Id of the task, such as K-1.")],
    profile: ProfileOption = "small",
    specs: SpecsOption = SPECS,
    device: Annotated[
        Literal["cpu", "cuda"] | None,
        typer.Option(help="Where to train.  [default: the profile's device]"),
    ] = None,
    compile_: Annotated[
        bool,
        typer.Option("--compile", help="Compile the steps: a minute at first, then faster."),
    ] = False,
    to: Annotated[
        Path | None,
        typer.Option(help="Also copy the finished training to this folder, to carry it away."),
    ] = None,
) -> None:
    """Train a task's network and write it, without measuring it.

    For a machine with a GPU, when the task is measured on another one. There, put the contents of
    the --to folder into artifacts/PROFILE/.work: `dust run` then measures without training.
    """
    from dust_compress.train.compiled import compiled_steps
    from dust_compress.train.distributed import train_on
    from dust_core.declared.specs import load_specs, resolve

    resolved = resolve(load_specs(specs), task, profile)
    training = _TRAININGS.get(resolved.task.does)
    if training is None:
        raise DustError(
            f"{task} ({resolved.task.does}) has no training of its own to be done elsewhere",
            where=str(specs),
            fix=f"name a task that does one of: {', '.join(sorted(_TRAININGS))}",
        )
    if device is not None:
        _require(device)
        train_on(device)
    with compiled_steps() if compile_ else nullcontext():
        path, _ = resolve_name(training)(resolved)
    typer.echo(f"{task}: wrote {path}")
    if to is not None:
        for copy in _carried(resolved, to):
            typer.echo(f"{task}: finished training in {copy}")


def _require(device: str) -> None:
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise DustError(
            "PyTorch finds no CUDA device",
            where="--device cuda",
            fix="train with --device cpu, or install PyTorch for CUDA on a machine with a GPU",
        )


def _carried(task: "ResolvedTask", to: Path) -> list[Path]:
    """Copies of the task's finished trainings, below `to` as they lie in the work folder."""
    from dust_compress.train.finished import FINISHED, carry_finished
    from dust_core.natural import natural_key

    work = ARTIFACTS / task.profile_name / ".work"
    copies = []
    for folder in sorted(work.glob(f"{task.id}-*")):
        finished = sorted(folder.glob(f"**/{FINISHED}"), key=natural_key)
        for path in finished:
            copies.append(to / path.relative_to(work))
            # A later stage goes on from the weights of an earlier one, and replaces them.
            carry_finished(path, copies[-1], weights=path == finished[-1])
    return copies
