"""SPEC001 to SPEC007: a spec file can be read, and declares its kind."""

from collections.abc import Iterator
from typing import ClassVar

from dust_core.declared.checks.finding import Finding
from dust_core.declared.checks.rules.base import FileRule, TreeRule
from dust_core.declared.checks.subjects import SpecTree, YamlFile
from dust_core.declared.reading.place import Place
from dust_core.declared.reading.wording import one_of
from dust_core.declared.reading.yaml_text import SpecSyntaxError
from dust_core.declared.reference.schema import schema_modeline
from dust_core.declared.specs.models import KINDS

API_VERSION = "dust/v1"
FILE_NAMES = {kind: f"{kind.lower()}.yaml" for kind in KINDS if kind != "Profile"}


class Readable(FileRule):
    """A spec is UTF-8 text of at most 1 MB in the part of YAML that has one meaning: mappings,
    lists and scalars, each key once. Anchors, aliases, tags, merge keys, NaN, infinities and
    numbers of more than 40 digits are refused, so that a reader sees everything a file means.
    """

    id = "SPEC001"
    title = "the file is not a spec's YAML"
    fix = "correct the text at that place"
    requires = ()

    def check(self, subject: YamlFile) -> Iterator[Finding]:
        error = subject.source
        if isinstance(error, SpecSyntaxError):
            at = error.position
            place = Place(subject.path, at.line, at.column) if at else Place(subject.path)
            text = subject.excerpt(at) if at else ""
            expected = "UTF-8 YAML of one meaning"
            yield self.finding(
                place,
                text or error.what,
                f"{expected}: {error.what}" if text else expected,
                fix=error.fix,
            )


class Modeline(FileRule):
    """The first line of a spec names its schema. Editors use it for completion, descriptions and
    units:

        # yaml-language-server: $schema=../schema/v1/distill.schema.json
    """

    id = "SPEC002"
    title = "the first line is not the modeline of the file's schema"
    fix = "paste the expected line above everything else"
    requires = ("SPEC001", "SPEC004")

    def check(self, subject: YamlFile) -> Iterator[Finding]:
        if not subject.kind or subject.document is None:
            return
        expected = schema_modeline(subject.kind)
        first = subject.document.line(1).strip()
        if first != expected:
            yield self.finding(Place(subject.path), first or "an empty line", expected)


class ApiVersion(FileRule):
    """`apiVersion` is the version of the file's format; this release reads `dust/v1`."""

    id = "SPEC003"
    title = "the apiVersion is absent or cannot be read"
    fix = "write apiVersion: dust/v1"
    requires = ("SPEC001",)

    def check(self, subject: YamlFile) -> Iterator[Finding]:
        version = subject.data.get("apiVersion", "nothing")
        if version != API_VERSION:
            yield self.finding(
                subject.place(("apiVersion",)), version, API_VERSION, choices=(API_VERSION,)
            )


class Kind(FileRule):
    """`kind` selects the model that reads the file. Without it no other rule can judge the file."""

    id = "SPEC004"
    title = "the kind is absent or unknown"
    fix = "write the kind that belongs to the file's name, e.g. kind: Distill in distill.yaml"
    requires = ("SPEC001",)

    def check(self, subject: YamlFile) -> Iterator[Finding]:
        kind = subject.data.get("kind", "nothing")
        if not subject.kind:
            yield self.finding(subject.place(("kind",)), kind, one_of(KINDS), choices=KINDS)


class FileNamedAfterKind(FileRule):
    """Each kind has one file, found by its name: `Distill` is `v1/distill.yaml`, and a `Profile` is
    `profiles/{metadata.name}.yaml`. DVC tracks parameters by these names, and `--profile small`
    reads `profiles/small.yaml`.
    """

    id = "SPEC005"
    title = "the file's name, folder and content disagree"
    fix = "rename the file, or correct its kind or metadata.name"

    def check(self, subject: YamlFile) -> Iterator[Finding]:
        metadata = subject.data.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else None
        if not isinstance(name, str):
            return
        place = subject.place(("metadata", "name"))
        if subject.kind == "Profile":
            if subject.file.name != f"{name}.yaml":
                yield self.finding(place, name, subject.file.stem)
        elif subject.file.name != FILE_NAMES[subject.kind]:
            yield self.finding(
                subject.place(("kind",)),
                f"{subject.kind} in {subject.file.name}",
                f"{subject.kind} in {FILE_NAMES[subject.kind]}",
            )
        elif name != subject.file.stem:
            yield self.finding(place, name, subject.file.stem)
        folder = "profiles" if subject.kind == "Profile" else "v1"
        if subject.file.parent.name in ("v1", "profiles") and subject.file.parent.name != folder:
            yield self.finding(
                subject.place(("kind",)),
                f"{subject.kind} in {subject.file.parent.name}/",
                f"{subject.kind} in {folder}/",
            )


class CompleteTree(TreeRule):
    """Tasks are resolved against one workload, one set of lines and a profile. So a folder of specs
    holds workload.yaml, gates.yaml and at least one profile, and at most one file of every kind but
    Profile.
    """

    id = "SPEC006"
    title = "a folder of specs lacks a file, or has two of one kind"
    fix = "add the file (specs/v1 of the project has an example), or remove the second"
    REQUIRED: ClassVar[tuple[str, ...]] = ("Workload", "Gates", "Profile")

    def check(self, subject: SpecTree) -> Iterator[Finding]:
        for kind in self.REQUIRED:
            if not subject.of_kind(kind):
                name = FILE_NAMES.get(kind, "profiles/NAME.yaml")
                yield self.finding(Place(subject.path), "nothing", f"{name}, of kind {kind}")
        for kind in FILE_NAMES:
            for second in subject.of_kind(kind)[1:]:
                first = subject.of_kind(kind)[0]
                yield self.finding(
                    second.place(("kind",)),
                    f"a second {kind}",
                    f"{kind} in one file, {first.path}",
                )


RULES = (Readable(), Modeline(), ApiVersion(), Kind(), FileNamedAfterKind(), CompleteTree())
