"""The functions of installed packages that execute tasks.

Packages register executors in the entry-point group `dust.tasks`. The name is the task's `does`,
the value a function that takes the resolved task. The function writes the task's outputs, among
them a result file with verdicts, and returns. A missed line is an outcome of the run, not a
failure.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from dust_core.cli import plugins
from dust_core.errors import DustError

if TYPE_CHECKING:
    from dust_core.declared.specs import ResolvedTask

TASK_GROUP = "dust.tasks"

Executor = Callable[["ResolvedTask"], None]


def load_executor(does: str) -> Executor:
    """Import the executor of `does`; `require_executors` checks that there is one."""
    executor: Executor = plugins(TASK_GROUP)[does].load()
    return executor


def require_executors(tasks: Mapping[str, str]) -> None:
    """Check that installed packages can execute every task of `tasks`, id -> `does`.

    Raises:
        DustError: some have no executor; the message names all of them.
    """
    known = plugins(TASK_GROUP)
    missing = [f"{does} (task {task})" for task, does in tasks.items() if does not in known]
    if missing:
        raise DustError(
            f"no installed package executes {', '.join(missing)}",
            where="dust.tasks",
            fix="install the packages that do (dust-eval measures, dust-compress trains and "
            f"compresses); installed now: {', '.join(sorted(known)) or 'no executor at all'}",
        )
