"""The base of every rule: a small class that yields what is wrong with a subject."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Generic, TypeVar

from dust_core.declared.checks.finding import Finding, Severity
from dust_core.declared.reading.place import Place
from dust_core.declared.reading.wording import nearest, quote

S = TypeVar("S")


class Rule(ABC, Generic[S]):
    """A rule; its docstring explains it in docs/rules.md.

    Attributes:
        id: family and number, e.g. `SPEC003`; the family is what precedes the digits.
        title: one line that says what is wrong where the rule fires.
        fix: what the reader should do.
        subject: what the rule looks at, a class of `dust_core.declared.checks.subjects`.
        requires: ids or prefixes of rules that must pass first. Where such a rule found an error in
            the subject, or in a part of it, this rule does not run.
        severity: a warning does not fail a run.
    """

    id: ClassVar[str]
    title: ClassVar[str]
    fix: ClassVar[str]
    subject: ClassVar[type[Any]]
    requires: ClassVar[tuple[str, ...]] = ()
    severity: ClassVar[Severity] = "error"

    @abstractmethod
    def check(self, subject: S) -> Iterator[Finding]:
        """Yield what is wrong with `subject`, in any order."""

    def applies(self, subject: S) -> bool:
        """Whether the rule is about such a subject, e.g. a file of its kind."""
        return True

    def unable(self, subject: S) -> str:
        """Why the rule cannot judge `subject`, e.g. a file to compare with is absent; or empty."""
        return ""

    @property
    def family(self) -> str:
        """`SPEC` of `SPEC003`."""
        return self.id.rstrip("0123456789")

    @property
    def explanation(self) -> str:
        """The docstring without its indentation."""
        return inspect.cleandoc(self.__doc__ or "")

    def finding(
        self,
        place: Place,
        found: Any,
        expected: str,
        *,
        choices: Iterable[str] = (),
        fix: str = "",
    ) -> Finding:
        """A finding of this rule; the nearest of `choices` to `found` becomes its did-you-mean."""
        near = nearest(found, choices) if isinstance(found, str) else ""
        return Finding(
            place=place,
            rule=self.id,
            title=self.title,
            found=quote(found),
            expected=expected,
            fix=fix or self.fix,
            did_you_mean="" if near == found else near,
            severity=self.severity,
        )
