"""What rules look at: spec files and their tree, result files, tables, artifacts, graphs."""

from dust_core.declared.checks.subjects.artifacts import Artifacts, Graph, Table
from dust_core.declared.checks.subjects.executed import ExecutedSpecs
from dust_core.declared.checks.subjects.results import ResultJson
from dust_core.declared.checks.subjects.specs import SpecTree, TaskEntry, YamlFile

__all__ = [
    "Artifacts",
    "ExecutedSpecs",
    "Graph",
    "ResultJson",
    "SpecTree",
    "Table",
    "TaskEntry",
    "YamlFile",
]
