"""The stale stages of a pipeline, each on a worker as soon as what it reads is made."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from dust_core.declared.change.git import Repository
from dust_core.errors import DustError, first_line
from dust_eval.cluster.graph import Graph, read_graph, take_entry
from dust_eval.cluster.order import Outcome
from dust_eval.cluster.workers import SECONDS_WITHOUT_WORKERS, Workers
from dust_eval.gates.dvc_process import dvc_failed

if TYPE_CHECKING:
    from distributed import Future

_SECONDS_BETWEEN_LOOKS = 2.0


def bring_up_to_date(workers: Workers, targets: Iterable[str], *, force: bool = False) -> None:
    """Run the stale stages that targets need, side by side where none reads another's files.

    The lock of the profile has the entry of a stage as soon as the stage is done. An interruption
    cancels what runs, and waits for its end.

    Args:
        workers: the workers, which have joined.
        targets: stages as DVC's command line names them.
        force: run the targets, stale or not, and no others.

    Raises:
        DustError: a stage failed, after those that do not read its files have run; or no worker is
            left.
    """
    targets = list(targets)
    graph = read_graph(targets)
    stages = graph.stages.values()
    wanted = [stage.name for stage in stages if not force or stage.target in targets]
    _require_known(graph, wanted)
    round_ = _Round(workers, graph, wanted, force)
    try:
        round_.run()
    except BaseException:
        round_.cancel()
        raise


def _require_known(graph: Graph, wanted: Iterable[str]) -> None:
    """Refuse what would run on files that do not reach a worker."""
    repository = Repository.around(Path())
    stale = [name for name in wanted if graph.is_stale(name)]
    files = {
        path for name in (*stale, *graph.after(stale)) for path in graph.stages[name].untracked
    }
    unknown = sorted(path for path in files if not repository.has(path))
    if unknown:
        raise DustError(
            f"workers cannot get what neither git nor DVC has: {', '.join(unknown)}",
            where="--on",
            fix=f"put it into DVC and commit that: dvc add {' '.join(unknown)}",
        )


@dataclass(slots=True)
class _Round:
    """The stages of one call, as far as they are.

    Attributes:
        futures: those that were given to workers, by name.
        done: those that ran or are not stale.
        failed: those that failed.
    """

    workers: Workers
    graph: Graph
    wanted: list[str]
    force: bool
    futures: dict[str, "Future[Any]"] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)

    def run(self) -> None:
        seen = time.monotonic()
        while self._submit_ready():
            if self._take_finished() or self.workers.has_some():
                seen = time.monotonic()
            elif time.monotonic() - seen > SECONDS_WITHOUT_WORKERS:
                raise DustError(
                    f"no worker has been left for {SECONDS_WITHOUT_WORKERS:.0f} s to run "
                    f"{', '.join(self.futures)}",
                    where="--on",
                    fix="start workers and repeat: stages that are done do not run again",
                )
        if self.failed:
            halted = [name for name in self.graph.after(self.failed) if name in self.wanted]
            if halted:
                typer.echo(f"not run, since they build on it: {', '.join(halted)}", err=True)
            raise dvc_failed("repro", *(self.graph.stages[name].target for name in self.failed))

    def cancel(self) -> None:
        """End the stages that run, and wait for their ends."""
        if self.futures:
            self.workers.client.cancel(list(self.futures.values()), force=True)
            self.workers.reports.wait_for_ends()

    def _submit_ready(self) -> bool:
        """Give workers what may start; whether anything runs or waits for a worker."""
        halted = {*self.failed, *self.graph.after(self.failed)}
        for name in self.wanted:
            awaited = {*self.graph.before(name)}.intersection(self.wanted) - self.done
            if awaited or name in self.done | halted or name in self.futures:
                continue
            stage = self.graph.stages[name]
            always = stage.always and name not in self.workers.made
            if not (self.force or always or self.graph.is_stale(name)):
                self.done.add(name)
                continue
            try:
                before = self.graph.to_fetch(name)
                self.futures[name] = self.workers.submit(stage, before, force=self.force)
            except DustError as refusal:
                self._fail(name, str(refusal))
        return bool(self.futures)

    def _take_finished(self) -> bool:
        """Wait a while, and take the stages that ended; whether one did."""
        import distributed

        try:
            distributed.wait(list(self.futures.values()), _SECONDS_BETWEEN_LOOKS, "FIRST_COMPLETED")
        except TimeoutError:
            return False
        ended = [name for name, future in self.futures.items() if future.done()]
        for name in ended:
            self._take(name, self.futures.pop(name))
        return bool(ended)

    def _take(self, name: str, future: "Future[Any]") -> None:
        if future.status == "cancelled":
            raise DustError(
                "the scheduler is gone, or somebody cancelled the stage",
                where=name,
                fix="repeat: stages that are done do not run again",
            )
        outcome: Any = future.exception() if future.status == "error" else future.result()
        if not isinstance(outcome, Outcome):
            self._fail(name, _reason(outcome))
            return
        seconds = f"{outcome.seconds:.0f} s"
        if outcome.code:
            typer.echo(outcome.output, err=True)
            self._fail(name, f"on worker {outcome.worker} after {seconds}")
            return
        how = "done" if outcome.ran else "taken from the run cache"
        typer.echo(f"{name} {how} on worker {outcome.worker} after {seconds}")
        take_entry(self.workers.profile, name, outcome.entry)
        self.graph.take(name, outcome.entry)
        self.workers.made.add(name)
        self.done.add(name)

    def _fail(self, name: str, why: str) -> None:
        typer.echo(f"{name} failed: {why}", err=True)
        self.failed.append(name)


def _reason(error: BaseException) -> str:
    import distributed

    if isinstance(error, DustError):
        return str(error)
    if isinstance(error, distributed.KilledWorker):
        return f"each of {error.allowed_failures + 1} workers ended while it ran"
    return f"{type(error).__name__}: {first_line(Exception(str(error)))}"
