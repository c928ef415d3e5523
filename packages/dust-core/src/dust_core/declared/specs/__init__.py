"""Declared experiments: read, resolved against a profile, and identified by digest."""

from dust_core.declared.reading.yaml_text import (
    Document,
    Position,
    SpecSyntaxError,
    load_yaml,
    parse_yaml,
)
from dust_core.declared.specs.resolve import ResolvedTask, resolve
from dust_core.declared.specs.spec_set import SpecSet, load_specs, read_specs

__all__ = [
    "Document",
    "Position",
    "ResolvedTask",
    "SpecSet",
    "SpecSyntaxError",
    "load_specs",
    "load_yaml",
    "parse_yaml",
    "read_specs",
    "resolve",
]
