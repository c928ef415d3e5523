"""Stages of a lock that were executed again: by a higher run, or on files that such a run wrote."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dust_core.declared.agreed.ledger import differing_paths, is_device, written_by
from dust_core.declared.change.executed import Execution
from dust_core.declared.change.recorded import altered
from dust_core.declared.records.ledger import read_ledger

if TYPE_CHECKING:
    from dust_core.declared.change.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of a stage.

    Attributes:
        changed: whether its execution is another than before.
        refused: whether it must not be.
        sentence: why not; empty for a stage that only follows from a refused stage.
    """

    changed: bool
    refused: bool = False
    sentence: str = ""


@dataclass
class Replacement:
    """The stages of one profile's lock at the head, judged by those of the base and of the fork.

    Attributes:
        profile: the profile.
        tip: its executions at the base as it is now, by task.
        fork: the same at the commit where the head left the base.
        head: the same at the head.
        specs: the head, whose models say what is prose; its ledger counts too.
        old_specs: the fork, for tasks that the head does not have.
        judged: the judgements so far, by task.
    """

    profile: str
    tip: Mapping[str, Execution]
    fork: Mapping[str, Execution]
    head: Mapping[str, Execution]
    specs: "Snapshot"
    old_specs: "Snapshot"
    judged: dict[str, Judged] = field(default_factory=dict)

    def refusals(self) -> Iterator[str]:
        """Each reason to refuse the lock, one for all stages that vanish."""
        tasks = dict.fromkeys((*self.fork, *self.tip, *self.head))
        gone = [task for task in self.fork if task not in self.head]
        if gone:
            names = ", ".join(_name(self.fork[task]) for task in gone)
            yield (
                f"dvc.lock of {self.profile} loses {names}: an execution does not vanish; restore "
                f"{'its stage' if len(gone) == 1 else 'their stages'}"
            )
        for task in tasks:
            if sentence := self.of(task).sentence:
                yield sentence

    def of(self, task: str) -> Judged:
        """The judgement on one stage."""
        if task not in self.judged:
            self.judged[task] = Judged(changed=True, refused=True)  # while it is judged: a circle
            self.judged[task] = self._judge(task)
        return self.judged[task]

    def _judge(self, task: str) -> Judged:
        fork, head = self.fork.get(task), self.head.get(task)
        if head is None:
            return Judged(changed=fork is not None, refused=fork is not None)
        if fork is not None and self._is_same(fork, head):
            return Judged(changed=False)
        before = self.tip.get(task, fork)
        if before is None or head.run > before.run or self._is_same(before, head):
            return Judged(changed=True)
        name, following = _name(before), f"take the next run: {before.run + 1}"
        if head.run < before.run:
            text = f"{name} is executed, and its run falls to {head.run} in dvc.lock: {following}"
            return Judged(changed=True, refused=True, sentence=text)
        if parts := tuple(dict.fromkeys(self._altered(before, head))):
            text = f"dvc.lock says otherwise what {name} was executed with ({', '.join(parts)})"
            return Judged(
                changed=True, refused=True, sentence=f"{text}: restore it, or {following}"
            )
        why, is_cause = self._why_again(before, head)
        text = f"{name} was executed again {why}: {following}" if why and is_cause else ""
        return Judged(changed=True, refused=bool(why), sentence=text)

    def _why_again(self, before: Execution, head: Execution) -> tuple[str, bool]:
        """Why a stage must not be executed again under its run, and whether it is the cause."""
        differing = differing_paths(before.dependencies, head.dependencies)
        files = [path for path in differing if not is_device(path)]
        if not files:
            return ("on another device" if differing else "on the same inputs"), True
        for path in files:
            writer = self._writer(path)
            if writer is None or not self.of(writer).changed:
                return f"with another {path}, which no changed execution wrote", True
            if self.of(writer).refused:
                return f"after {writer}", False
            md5 = head.dependencies.get(path)
            if md5 is not None and md5 not in self._written(path):
                return f"with a {path} that {writer} did not write", True
        return "", True

    def _writer(self, path: str) -> str | None:
        stages = (*self.head.values(), *self.tip.values(), *self.fork.values())
        return next((stage.task for stage in stages if path in stage.outputs), None)

    def _written(self, path: str) -> frozenset[str]:
        """What changed executions wrote to a file: in the lock, or earlier by the ledger."""
        locked = {stage.outputs[path] for stage in self.head.values() if path in stage.outputs}
        ledger = written_by(read_ledger(self.specs.files)).get((self.profile, path), frozenset())
        return ledger | locked

    def _is_same(self, before: Execution, head: Execution) -> bool:
        if before == head:
            return True
        return (
            (before.run, before.dependencies, before.outputs)
            == (head.run, head.dependencies, head.outputs)
        ) and not any(self._altered(before, head))

    def _altered(self, before: Execution, head: Execution) -> Iterator[str]:
        return altered(before, head, {**self.old_specs.models, **self.specs.models})


def _name(execution: Execution) -> str:
    """An execution in messages: `K-1 (K_T3B05_run2)`."""
    return f"{execution.task} ({execution.exp_id or f'run {execution.run}'})"
