"""What the starter and the workers send each other."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a worker gets the project, and where results go.

    Attributes:
        url: the git repository, as `git clone` takes it.
        commit: what is executed.
        protected: the tip of the protected branch; None where the starter has none.
        subfolder: the project within the repository, as git names it; empty for its top.
        remote: the name of DVC's remote.
        remote_url: where it is; a folder is absolute.
        cache: the folder of DVC's cache; None for one beside the worker's clones.
    """

    url: str
    commit: str
    protected: str | None
    subfolder: str
    remote: str
    remote_url: str
    cache: str | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A worker, as it describes itself.

    Attributes:
        name: its name at the scheduler.
        device: the fingerprint of the device that it measures on.
        device_name: the device in words.
        code: the digests of the installed sources that measure and that train.
        versions: the installed versions that can change a figure.
    """

    name: str
    device: str
    device_name: str
    code: tuple[str | None, str | None]
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A stage to run.

    Attributes:
        run: the run's id, under which the worker reports that it starts and ends.
        stage: the stage's name.
        target: the stage as DVC's command line names it.
        before: what to fetch first: the stages before it, with those before them, and data sets. A
            task may read results that its stage does not name, of those that it needs.
        lock: where the lock is, relative to the project.
        lock_text: the starter's lock.
        force: whether it runs although nothing changed.
        draft: whether it is a draft.
        device: what the profile measures on.
        alone: whether no other stage may run on the worker's device at the same time.
    """

    run: str
    stage: str
    target: str
    before: tuple[str, ...]
    lock: str
    lock_text: str
    force: bool
    draft: bool
    device: Literal["cpu", "cuda"]
    alone: bool
    source: Source


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a stage ended on a worker.

    Attributes:
        worker: the worker's name.
        code: the exit code of the command of DVC that failed, else 0.
        seconds: how long it took, with what was fetched and sent.
        ran: whether the stage ran; otherwise DVC took it from the run cache.
        entry: its entry of the lock; empty after a failure.
        output: the last lines that DVC and the stage printed.
    """

    worker: str
    code: int
    seconds: float
    ran: bool
    entry: Mapping[str, Any]
    output: str
