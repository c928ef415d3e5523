"""Declared experiments: read, resolved against a profile, and named by digest."""

from dust_core.specs.resolve import ResolvedTask, resolve
from dust_core.specs.source import Document, Position, SpecSyntaxError, load_yaml, parse_yaml
from dust_core.specs.spec_set import SpecSet, load_specs, read_specs

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
