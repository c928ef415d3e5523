"""Experiment ids and file names, made from parameters and read back.

An id is `{stage}_{combo}_{keyparams}_{run}`. Keyparams are joined by `-` and left out if nothing
differs from the stage's standard. Decimals have no point: `B05` is beta 0.5, `r010` rho 0.10.
"""

import re

from dust_core.declared.specs.names.experiments import (
    EXPERIMENT_NAMES,
    AblationName,
    BaselineName,
    DistillName,
    ExperimentName,
    KQName,
    PruneName,
    QuantName,
)
from dust_core.declared.specs.names.files import FileName, file_name, parse_file_name
from dust_core.declared.specs.names.vocabulary import (
    BASE,
    KEEP_FAMILIES,
    STAGES,
    STANDARD_CALIBRATION,
    STANDARD_KEEP,
    STANDARD_SCHEDULE,
    Schedule,
)
from dust_core.errors import DustError

__all__ = [
    "BASE",
    "KEEP_FAMILIES",
    "STAGES",
    "STANDARD_CALIBRATION",
    "STANDARD_KEEP",
    "STANDARD_SCHEDULE",
    "AblationName",
    "BaselineName",
    "DistillName",
    "ExperimentName",
    "FileName",
    "KQName",
    "PruneName",
    "QuantName",
    "Schedule",
    "exp_id",
    "file_name",
    "parse_exp_id",
    "parse_file_name",
    "stage_of",
]

_EXP_ID = re.compile(r"(P0|KQ|K|Q|P|ABL)_([A-Za-z0-9]+)(?:_([A-Za-z0-9-]+))?_run([1-9][0-9]{0,5})")
_READERS = {name.stage: name.read for name in EXPERIMENT_NAMES}


def exp_id(name: ExperimentName) -> str:
    """The id of an experiment, e.g. `K_T3B05_sched_run1`."""
    parts = [name.stage, name.combo, "-".join(name.keyparams), f"run{name.run}"]
    return "_".join(part for part in parts if part)


def parse_exp_id(text: str) -> ExperimentName:
    """The inverse of `exp_id`: `exp_id(parse_exp_id(text)) == text`.

    Raises:
        DustError: the text is not an id, or not the standard spelling of its parameters.
    """
    match = _EXP_ID.fullmatch(text)
    if match:
        stage, combo, keyparams, run = match.groups()
        name = _READERS[stage](combo, keyparams.split("-") if keyparams else [], int(run))
        if name is not None and exp_id(name) == text:
            return name
    raise DustError(
        f"{text!r} is not an experiment id",
        fix="write {stage}_{combo}_{keyparams}_{run}, e.g. K_T3B05_sched_run1 or P_r010_run1",
    )


def stage_of(task_id: str) -> str:
    """The stage of a task: `KQ` of `KQ-2`."""
    return task_id.partition("-")[0]
