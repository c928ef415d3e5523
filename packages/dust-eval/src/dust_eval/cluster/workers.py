"""The workers of a run: which of a scheduler's workers take stages, and what they report."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Condition
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

import typer

from dust_core.declared.draft import is_draft
from dust_core.declared.project import lock_path
from dust_core.errors import DustError
from dust_eval.cluster.graph import Stage
from dust_eval.cluster.order import Member, Order, Source

if TYPE_CHECKING:
    from distributed import Client, Future

SECONDS_WITHOUT_WORKERS = 120.0
_SECONDS_TO_END = 60.0


@dataclass(slots=True)
class Reports:
    """What workers say about the stages that they run.

    Attributes:
        running: the worker of each stage that runs.
    """

    running: dict[str, str] = field(default_factory=dict)
    _changed: Condition = field(default_factory=Condition)

    def receive(self, event: tuple[float, Mapping[str, str]]) -> None:
        """Take a report of a worker; dask calls it in a thread of its own."""
        stage, worker, what = (event[1][key] for key in ("stage", "name", "what"))
        with self._changed:
            if what == "starts":
                lost = self.running.get(stage)
                again = f" again: worker {lost} is gone" if lost is not None else ""
                typer.echo(f"{stage} starts on worker {worker}{again}")
                self.running[stage] = worker
            else:
                self.running.pop(stage, None)
            self._changed.notify_all()

    def wait_for_ends(self) -> None:
        """Wait until the stages that were cancelled have ended on their workers."""
        with self._changed:
            self._changed.wait_for(lambda: not self.running, _SECONDS_TO_END)


@dataclass(slots=True, kw_only=True)
class Workers:
    """The workers of a run, which `join` chooses.

    Attributes:
        client: the connection to their scheduler.
        source: what they fetch.
        profile: the profile of the stages.
        device: what the profile measures on.
        alone: whether each stage has its device to itself.
        check: called with a stage's name and a worker before the stage starts there; it raises
            `DustError` if the stage's figures could not be compared.
        like: the worker that the others have to be like; None before `join`.
        made: the stages that ran, or that DVC took from its run cache.
    """

    client: "Client"
    source: Source
    profile: str
    device: Literal["cpu", "cuda"]
    alone: bool
    check: Callable[[str, Member], None]
    like: Member | None = None
    made: set[str] = field(default_factory=set)
    reports: Reports = field(default_factory=Reports)
    _run: str = field(default_factory=lambda: f"dust-{uuid4().hex[:12]}")

    def join(self) -> None:
        """Ask every worker for the commit and its device, and choose those that take stages.

        Raises:
            DustError: there is none, one cannot get the commit or reach the remote, or they are
                neither like this machine nor like each other.
        """
        from dust_eval.cluster.worker import TakesStages, unlike

        members = self._members()
        self.like = _chosen(members, self.device)
        for member in members:
            if why := unlike(member, self.like):
                typer.echo(f"worker {member.name} takes no stages: {why}", err=True)
        self.client.subscribe_topic(self._run, self.reports.receive)
        plugin = TakesStages(self._run, self.source, self.device, self.like)
        self.client.register_plugin(plugin, name=self._run)

    def leave(self) -> None:
        """Take the mark from the workers, if their scheduler is still there."""
        with suppress(OSError):
            self.client.unregister_worker_plugin(self._run)

    def has_some(self) -> bool:
        """Whether a worker is there that takes stages."""
        workers = self.client.scheduler_info(n_workers=-1)["workers"].values()
        return any(worker["resources"].get(self._run) for worker in workers)

    def submit(self, stage: Stage, before: tuple[str, ...], *, force: bool) -> "Future[Any]":
        """Give a stage to the next worker that is free.

        Args:
            stage: the stage.
            before: what the worker fetches first, as DVC's command line names it.
            force: whether the stage runs although nothing changed.

        Raises:
            DustError: its figures could not be compared.
        """
        from dust_eval.cluster.worker import run_stage

        assert self.like is not None
        self.check(stage.name, self.like)
        lock = lock_path(self.profile)
        order = Order(
            run=self._run,
            stage=stage.name,
            target=stage.target,
            before=before,
            lock=lock.as_posix(),
            lock_text=lock.read_text(encoding="utf-8") if lock.is_file() else "",
            force=force,
            draft=is_draft(),
            device=self.device,
            alone=self.alone,
            source=self.source,
        )
        key = f"{stage.name}-{uuid4().hex}"
        return self.client.submit(run_stage, order, key=key, resources={self._run: 1}, pure=False)

    def _members(self) -> list[Member]:
        from dust_eval.cluster.worker import describe

        try:
            self.client.wait_for_workers(1, timeout=SECONDS_WITHOUT_WORKERS)
        except TimeoutError as error:
            raise DustError(
                "the scheduler has no worker",
                where="--on",
                fix="start workers, such as 'dask worker ADDRESS --nthreads 1'",
            ) from error
        answers: dict[str, Any] = self.client.run(
            describe, self.source, self.device, on_error="return"
        )
        unable = [answer for answer in answers.values() if not isinstance(answer, Member)]
        if unable:
            address = next(name for name, answer in answers.items() if answer is unable[0])
            raise _unable(address, unable[0], f"{len(unable)} of {len(answers)} workers")
        return list(answers.values())


def _unable(address: str, answer: Any, how_many: str) -> DustError:
    if isinstance(answer, DustError):
        what = f"{how_many} cannot take stages. The first, {address}: {answer.what}"
        return DustError(what, where=answer.where, fix=answer.fix)
    return DustError(
        f"{how_many} cannot take stages. The first, {address}: {type(answer).__name__}: {answer}",
        where="--on",
        fix="install this version of DUST, with its extra cluster, where the workers run",
    )


def _chosen(members: Sequence[Member], device: Literal["cpu", "cuda"]) -> Member:
    """The worker that all that take stages are like: one like this machine, or else any.

    Raises:
        DustError: no worker is like this machine, and their sources differ from those here or they
            differ among each other.
    """
    from dust_eval.cluster.worker import code_here, member, unlike

    try:
        same = [one for one in members if not unlike(one, member("here", device))]
    except DustError:  # there is no GPU here
        same = []
    if same:
        return same[0]
    if all(one.code != code_here() for one in members):
        raise DustError(
            "the workers have another version of DUST than this machine",
            where="--on",
            fix="install the packages of this commit where the workers run",
        )
    differing = [why for one in members if (why := unlike(one, members[0]))]
    if differing:
        devices = Counter(f"{one.device_name} {one.device[:12]}" for one in members)
        counts = ", ".join(f"{count} of {name}" for name, count in devices.items())
        raise DustError(
            f"the workers differ ({counts}; {differing[0]}), and none is like this machine",
            where="--on",
            fix="figures are compared on one device with one version: start workers of one kind",
        )
    return members[0]
