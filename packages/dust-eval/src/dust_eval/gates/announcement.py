"""What `dust repro` is about to do: which tasks run, why, and how long each took before."""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from dust_core.declared.change.executed import Execution, executions
from dust_core.declared.change.plan import Plan, Step, make_plan
from dust_core.declared.change.snapshot import in_working_tree
from dust_core.declared.change.text import counted
from dust_core.errors import DustError

if TYPE_CHECKING:
    from dust_core.declared.records import ResultFile

_ONE_MINUTE = timedelta(minutes=1)


def announcement(
    specs: Path, profile: str, wanted: Collection[str], device: str | None
) -> Iterator[str]:
    """Say line by line what running stages would do here.

    The times are those of the results that the lock names, as far as these are here. They are of
    the device that measured them.

    Args:
        specs: the folder of the specs.
        profile: the profile.
        wanted: stages and tasks; all if there are none.
        device: the text that identifies this device; None where workers run the tasks.

    Raises:
        DustError: there is no such stage, or a lock cannot be read.
    """
    project = specs.resolve().parent
    snapshot = in_working_tree(project, specs.resolve().name)
    here = None
    if device is not None:
        here = hashlib.md5(device.encode(), usedforsecurity=False).hexdigest()
    plan = make_plan(snapshot, profile, wanted, project, here)
    locked = executions(snapshot.files, profile)
    times = {step.task: _took(locked.get(step.task), project) for step in plan.to_run}
    yield f"{_summary(plan, wanted)}{_sum(times)}"
    width = max((len(step.task) for step in plan.to_run), default=0)
    does = max((len(step.does) for step in plan.to_run), default=0)
    for step in plan.to_run:
        how = _how(times[step.task], again=step.task in locked)
        yield f"  {step.task:<{width}}  {step.does:<{does}}  {how}{_why(step)}"


def duration_text(time: timedelta) -> str:
    """Seconds, minutes or hours, whichever a person would say."""
    seconds = time.total_seconds()
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _summary(plan: Plan, wanted: Collection[str]) -> str:
    needs = "what it needs" if len(wanted) == 1 else "what they need"
    named = f"{', '.join(wanted)} and {needs}" if wanted else "P0 to P5"
    who = f"{named}, profile {plan.profile}"
    done = len(plan.steps) - len(plan.to_run)
    if not plan.to_run:
        return (
            f"{who}: nothing runs, because all {counted(done, 'task')} ran before; results that "
            "are not here are fetched"
        )
    return f"{who}: {len(plan.to_run)} of {counted(len(plan.steps), 'task')} run"


def _sum(times: Mapping[str, timedelta | None]) -> str:
    known = [time for time in times.values() if time is not None]
    if not known:
        return ""
    some = "" if len(known) == len(times) else f" for the {len(known)} that ran before"
    return f", about {duration_text(max(_ONE_MINUTE, sum(known, timedelta())))}{some}"


def _how(time: timedelta | None, *, again: bool) -> str:
    if time is not None:
        return f"took {duration_text(time)}"
    return "again" if again else "for the first time"


def _why(step: Step) -> str:
    reasons = [reason for reason in step.reasons if reason != "never executed"]
    return f" ({'; '.join(reasons)})" if reasons else ""


def _took(locked: Execution | None, project: Path) -> timedelta | None:
    """How long the last execution took; None where its result is not here."""
    for path in locked.outputs if locked else ():
        file = _result(project / path)
        if file is not None:
            provenance = file.candidates[0].provenance
            return provenance.finished - provenance.started
    return None


def _result(path: Path) -> "ResultFile | None":
    from dust_core.declared.records import read_result_file

    if path.suffix != ".json" or not path.is_file():
        return None
    try:
        return read_result_file(path)
    except DustError:  # it is no result, or one that its own task writes anew
        return None
