"""Who may approve a waiver: the owners of the specs by CODEOWNERS, and not the author."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from dust_core.declared.reading.codeowners import parse_owners

CODEOWNERS = ".github/CODEOWNERS"
LINES = "specs/v1/gates.yaml"
"""The file that holds lines and waivers; its owners may approve a waiver."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote a commit, as git records it. Nothing proves these texts."""

    name: str
    email: str

    @property
    def handles(self) -> frozenset[str]:
        """The texts by which CODEOWNERS or a waiver may name this person."""
        local, _, domain = self.email.casefold().partition("@")
        # GitHub's private addresses are `NUMBER+HANDLE@users.noreply.github.com`.
        handle = local.rpartition("+")[2] if domain.endswith("noreply.github.com") else local
        name = self.name.casefold()
        return frozenset(
            text for text in (name, name.replace(" ", ""), self.email.casefold(), handle) if text
        )


@dataclass(frozen=True, slots=True)
class Approvers:
    """Who may approve, and who may not because he wrote the change.

    Attributes:
        owners: the owners of the lines as CODEOWNERS spells them.
        authors: the authors of the commits under review; none where no change is reviewed.
    """

    owners: frozenset[str] = frozenset()
    authors: tuple[Author, ...] = ()

    def fault(self, approver: str) -> Literal["unknown", "author"] | None:
        """Why somebody may not approve; None if he may."""
        name = approver.strip().casefold()
        if name not in {owner.casefold() for owner in self.owners}:
            return "unknown"
        is_author = any(name.removeprefix("@") in author.handles for author in self.authors)
        return "author" if is_author else None


def owners_of(codeowners: str, path: str = LINES) -> frozenset[str]:
    """The owners of a file. As on GitHub the last pattern that matches decides.

    Args:
        codeowners: the text of a CODEOWNERS file.
        path: a file, from the root of the repository.
    """
    return frozenset(parse_owners(codeowners).of(path))


def authors_of(log: Iterable[str]) -> tuple[Author, ...]:
    """The persons in lines `name<TAB>email`, each once."""
    persons = (line.rpartition("\t") for line in log if "\t" in line)
    return tuple(dict.fromkeys(Author(name.strip(), email.strip()) for name, _, email in persons))
