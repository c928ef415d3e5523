"""Specs together with the results of their execution, as rules see them."""

from dataclasses import dataclass

from dust_core.declared.checks.subjects.results import ResultJson
from dust_core.declared.checks.subjects.specs import SpecTree, YamlFile


@dataclass(frozen=True, eq=False)
class ExecutedSpecs:
    """The specs of a project and its results.

    A result refers to the specs above it (`ResultJson.specs`), but specs do not refer to results.
    So rules that compare them and report at the specs have this as their subject.

    Attributes:
        tree: the specs.
        results: every result file beside them, of every profile.
    """

    tree: SpecTree
    results: tuple[ResultJson, ...]

    @property
    def path(self) -> str:
        """The specs' folder, as messages name it."""
        return self.tree.path

    @property
    def parts(self) -> tuple[SpecTree | YamlFile, ...]:
        """The specs and their files; a fault in a part counts for the whole."""
        return (self.tree, *self.tree.parts)
