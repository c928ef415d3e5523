"""Specs beside the results of what was executed from them, as rules see both together."""

from dataclasses import dataclass

from dust_core.declared.checks.subjects.results import ResultJson
from dust_core.declared.checks.subjects.specs import SpecTree, YamlFile


@dataclass(frozen=True, eq=False)
class ExecutedSpecs:
    """The specs of a project and its results.

    A result knows the specs above it (`ResultJson.specs`); specs know no results, so whatever
    compares them from the side of the specs looks at this.

    Attributes:
        tree: the specs.
        results: every result file beside them, of whatever profile.
    """

    tree: SpecTree
    results: tuple[ResultJson, ...]

    @property
    def path(self) -> str:
        """The specs' folder, as messages name it."""
        return self.tree.path

    @property
    def parts(self) -> tuple[SpecTree | YamlFile, ...]:
        """The specs and their files: a fault in one of them is a fault in the ground."""
        return (self.tree, *self.tree.parts)
