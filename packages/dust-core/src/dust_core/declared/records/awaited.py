"""Tasks and experiments of the specs that have no figures here, and why."""

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from dust_core.declared.records.parameters import record_parameters, task_parameters
from dust_core.declared.records.record import RECORD_FIELDS
from dust_core.declared.records.result import ResultFile
from dust_core.declared.records.sheet import NOTHING, SheetRow
from dust_core.tracked import PULL

if TYPE_CHECKING:
    from dust_core.declared.specs import ResolvedTask

NOT_RUN = "not run"
NOT_PULLED = f"not here: `{PULL}` brings it"


def why_absent(
    tasks: "Mapping[str, ResolvedTask]", here: Collection[str], recorded: Collection[str]
) -> dict[str, str]:
    """Why tasks have no result here: `NOT_RUN`, or `NOT_PULLED` where DVC recorded one.

    Args:
        tasks: every task of the specs under the profile, by id.
        here: the names of the result files that are here.
        recorded: the names of the outputs that dvc.lock recorded.
    """
    absent = {}
    for name, task in tasks.items():
        file = task.result_files[name]
        if file not in here:
            absent[name] = NOT_PULLED if file in recorded else NOT_RUN
    return absent


def awaited_sheet(
    tasks: "Mapping[str, ResolvedTask]", absent: Mapping[str, str]
) -> Iterator[SheetRow]:
    """A row of the daily sheet for each task that has no result here."""
    for name, why in absent.items():
        task = tasks[name]
        yield SheetRow(
            date=NOTHING,
            task=name,
            input=", ".join(task.task.inputs) or NOTHING,
            output=", ".join(task.task.outputs) or NOTHING,
            verdict=NOTHING,
            gpu_hours=NOTHING,
            notes=why,
        )


def awaited_rows(
    tasks: "Mapping[str, ResolvedTask]",
    files: Mapping[str, ResultFile],
    absent: Mapping[str, str],
) -> Iterator[dict[str, Any]]:
    """A row of the result table for each declared experiment without a record here.

    It has the experiment's id and parameters. Its notes say why nothing was measured, and every
    other field is null, the time too.

    Args:
        tasks: every task of the specs under the profile, by id.
        files: the result files that are here, by task.
        absent: as `why_absent` gives it.
    """
    for name, task in tasks.items():
        measured = {result.exp_id for result in files[name].candidates} if name in files else ()
        for parameters in declared_parameters(task):
            if parameters["exp_id"] in measured:
                continue
            note = absent.get(name, "not needed" if name in files else NOT_RUN)
            yield dict.fromkeys(RECORD_FIELDS) | parameters | {"notes": note}


def declared_parameters(task: "ResolvedTask") -> Iterator[dict[str, Any]]:
    """The parameters of each experiment of a task, as far as they are known before it runs."""
    from dust_core.declared.specs.models import AblationTask
    from dust_core.declared.specs.variants import base_experiment

    if isinstance(task.task, AblationTask):
        for name in task.task.variant_experiments():
            yield dict(record_parameters(name, base_experiment(task)))
    elif (experiment := task.task.experiment(task.common)) is not None:
        try:
            yield dict(task_parameters(task))
        except ValueError:  # the student of P3 is chosen when P1 has run
            yield {"exp_id": task.exp_id, "combo": experiment.combo}
