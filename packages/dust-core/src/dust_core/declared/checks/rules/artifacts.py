"""ART: the files that results name exist and are the files that were measured."""

from collections.abc import Iterator, Sequence

from dust_core.declared.checks.finding import Finding
from dust_core.declared.checks.rules.base import WHOLE_RESULT, ArtifactsRule, refused_among
from dust_core.declared.checks.subjects import Artifacts, ResultJson
from dust_core.declared.reading.place import Place
from dust_core.declared.records.environment import named_few
from dust_core.declared.specs.names import parse_file_name
from dust_core.errors import DustError
from dust_core.files import sha256_file
from dust_core.tracked import PULL, tracked_path, writer_of_lost


class ArtifactAbsent(ArtifactsRule):
    """A result names the files that it measured or wrote. Without them the measurement cannot be
    repeated."""

    id = "ART001"
    title = "a result names a file that is absent"
    fix = f"fetch it with `{PULL}`, or run the task again"

    def check(self, subject: Artifacts) -> Iterator[Finding]:
        for place, name, tracked in _absent(subject):
            if not tracked:
                yield self.finding(place, name, f"a file in {subject.path}", choices=subject.files)


class ArtifactNotFetched(ArtifactsRule):
    """A clone has the files that somebody fetched. DVC's lock names the others, and a remote need
    not hold all of them. They cannot be compared with the digests in the results. One finding names
    all of a folder.
    """

    id = "ART005"
    title = "files that results name are not here, so they were not compared with their digests"
    fix = f"fetch them with `{PULL}`; what no remote has, its task writes again"
    severity = "warning"

    def check(self, subject: Artifacts) -> Iterator[Finding]:
        names = sorted({name for _, name, tracked in _absent(subject) if tracked})
        if names:
            place, expected = Place(subject.path), f"files in {subject.path}"
            yield self.finding(place, ", ".join(names), expected, fix=_fetched(subject, names))


class ArtifactChanged(ArtifactsRule):
    """A result holds the SHA-256 of the files that it measured. A file with another digest is a
    different file, whatever its name, and its figures are unknown.
    """

    id = "ART002"
    title = "a file differs from the one that the result measured"
    fix = "restore it with `dvc pull --force FILE`, or run the task again"

    def check(self, subject: Artifacts) -> Iterator[Finding]:
        digests: dict[str, str] = {}
        for result, index, name, expected in _named(subject):
            if not (subject.folder / name).is_file():
                continue
            if name not in digests:
                try:
                    digests[name] = sha256_file(subject.folder / name)
                except DustError as error:
                    digests[name] = error.what
            if digests[name] != expected:
                place = result.place((*_at(index), name))
                says = f"{name}: {digests[name][:16]}"
                fix = self.fix.replace("FILE", f"{subject.path}/{name}")
                yield self.finding(place, says, f"{expected[:16]}, as measured", fix=fix)


class ArtifactUnnamed(ArtifactsRule):
    """A checkpoint, graph or engine that no result names has no provenance: no file says which task
    wrote it, or from which inputs.
    """

    id = "ART003"
    title = "a file that no result names"
    fix = "run the task that writes it, or remove it"
    requires = WHOLE_RESULT
    severity = "warning"

    def unable(self, subject: Artifacts) -> str:
        return refused_among(subject.results)

    def check(self, subject: Artifacts) -> Iterator[Finding]:
        named = {name for _, _, name, _ in _named(subject)}
        for name in subject.files:
            if name not in named:
                place = Place(f"{subject.path}/{name}")
                yield self.finding(place, name, "a result in its folder that names it")


class ArtifactMisnamed(ArtifactsRule):
    """All files are named by one scheme, so that a name shows which task wrote the file."""

    id = "ART004"
    title = "a file's name is not in the scheme of task outputs"
    fix = "rename it by the scheme in docs/specs.md, or remove it"
    severity = "warning"

    def check(self, subject: Artifacts) -> Iterator[Finding]:
        for name in subject.files:
            try:
                parse_file_name(name)
            except DustError:
                place = Place(f"{subject.path}/{name}")
                yield self.finding(place, name, "a name such as student_fp32_t3b05.pth")


def _fetched(subject: Artifacts, names: Sequence[str]) -> str:
    """How to get absent files of a folder: what may be fetched is fetched, the rest made anew."""
    commands = [writer_of_lost(subject.folder / name) for name in names]
    lost = list(dict.fromkeys(command for command in commands if command))
    them = "it" if len(names) == 1 else "them"
    parts = [f"fetch {them} with `{PULL}`"] if None in commands else []
    if lost:
        which = "some" if parts else them
        shown = named_few([f"`{command}`" for command in lost])
        verb = "writes" if len(lost) == 1 else "write"
        parts.append(f"no remote has {which}, and {shown} {verb} {them} again")
    return "; ".join(parts)


def _at(index: int) -> tuple[str | int, ...]:
    return ("results", index, "provenance", "artifacts")


def _named(subject: Artifacts) -> Iterator[tuple[ResultJson, int, str, str]]:
    """Each named file: the result file that names it, the index in it, the name and the digest."""
    for file in subject.results:
        for index, result in enumerate(file.model.results if file.model else ()):
            for name, digest in result.provenance.artifacts.items():
                yield file, index, name, digest


def _absent(subject: Artifacts) -> Iterator[tuple[Place, str, bool]]:
    """Each named file that is not here: where it is named, and whether DVC knows of it."""
    tracked: dict[str, bool] = {}
    for result, index, name, _ in _named(subject):
        file = subject.folder / name
        if not file.is_file():
            if name not in tracked:
                tracked[name] = tracked_path(file) is not None
            yield result.place((*_at(index), name), of_key=True), name, tracked[name]


RULES = (
    ArtifactAbsent(),
    ArtifactChanged(),
    ArtifactUnnamed(),
    ArtifactMisnamed(),
    ArtifactNotFetched(),
)
