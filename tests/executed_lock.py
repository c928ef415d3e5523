"""The lock that DVC would write had it executed tasks as they are declared, without running any."""

import hashlib
from collections.abc import Iterable
from typing import Any

from dust_core.declared.change.stages import stages
from dust_core.declared.change.values import value_at
from dust_core.declared.specs import SpecSet


def md5(text: str) -> str:
    """The MD5 of a text, for a file that nobody reads."""
    return hashlib.md5(text.encode()).hexdigest()


def lock_stages(
    specs: SpecSet, profile: str, tasks: Iterable[str], content: dict[str, Any], salt: str = ""
) -> None:
    """Add to a lock's content what DVC would write after executing tasks, in this order.

    Outputs follow from the run and from what was read; another `salt` gives other outputs of the
    same inputs.
    """
    graph = stages(specs, profile)
    for task in tasks:
        stage = graph[task]
        written = {
            out["path"]: out["md5"] for done in content["stages"].values() for out in done["outs"]
        }
        reads = {name: written.get(name, md5(name)) for name in stage.reads}
        identity = f"{task} {specs.tasks[task].run} {sorted(reads.items())} {salt}"
        content["stages"][task] = {
            "cmd": stage.command,
            "deps": [{"path": name, "md5": value} for name, value in reads.items()],
            "params": {
                file: {key: value_at(_values(specs, file), key) for key in keys}
                for file, keys in stage.keys.items()
            },
            "outs": [{"path": name, "md5": md5(name + identity)} for name in stage.writes],
        }


def _values(specs: SpecSet, file: str) -> Any:
    """The values of a spec file, wherever the specs lie."""
    return next(text.data for path, text in specs.documents.items() if path.endswith(file))
