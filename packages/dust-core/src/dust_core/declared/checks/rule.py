"""What every rule is: a small class that looks at one subject and yields what is wrong with it."""

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
        fix: what a person does about it.
        subject: what the rule looks at, a class of `dust_core.declared.checks.subjects`.
        requires: ids or prefixes of rules without which this one cannot judge: where one of them
            found something in the subject, or in a part of it, this rule waits.
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
        """Whether the rule has anything to say of such a subject, such as a file of its kind."""
        return True

    def unable(self, subject: S) -> str:
        """Why the rule cannot judge `subject` (a file it compares with is absent); else empty."""
        return ""

    @property
    def family(self) -> str:
        """`SPEC` of `SPEC003`."""
        return self.id.rstrip("0123456789")

    @property
    def explanation(self) -> str:
        """The docstring, cleaned of its indentation."""
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
