"""DATA: the frozen sets are the declared sets, and no scene is in two of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dust_core.bounded import read_json_bounded
from dust_core.declared.checks.finding import Finding
from dust_core.declared.checks.rules.base import TreeRule
from dust_core.declared.checks.subjects import SpecTree, YamlFile
from dust_core.declared.reading.place import Place
from dust_core.declared.specs.models import DataSplits
from dust_core.declared.specs.models.profile import OpenSplits
from dust_core.errors import DustError
from dust_core.files import sha256_file
from dust_core.tracked import PULL

MAX_MANIFEST_BYTES = 64_000_000


class ScenesDisjoint(TreeRule):
    """Calibration, training, validation and the workload are split by scene: a network is not
    measured on a scene that it was trained on.
    """

    id = "DATA001"
    title = "two sets share a scene"
    fix = "keep the scene in one of the sets, and freeze the other set again"

    def check(self, subject: SpecTree) -> Iterator[Finding]:
        owners: dict[YamlFile, dict[str, str]] = {}
        for split in _sets(subject):
            owner = owners.setdefault(split.file, {})
            for index, scene in enumerate(split.scenes):
                first = owner.setdefault(scene, split.name)
                if first != split.name:
                    expected = f"a scene that {first} does not have"
                    yield self.finding(split.place("scenes", index), scene, expected)


class ManifestAbsent(TreeRule):
    """Each set is frozen by its manifest, which holds the SHA-256 of its shards."""

    id = "DATA002"
    title = "a set's manifest is absent"
    fix = "correct the path, or write the shards there"

    def check(self, subject: SpecTree) -> Iterator[Finding]:
        for split in _sets(subject):
            if not split.file_path.is_file() and not _fetchable(split.file_path):
                yield self.finding(split.place("manifest"), split.manifest, "a file that is there")


class ManifestChanged(TreeRule):
    """The digest in the spec ties the declared set to its bytes. With another manifest, every
    figure would describe other data under the same name.
    """

    id = "DATA003"
    title = "a set's manifest has another SHA-256 than declared"
    fix = f"fetch the declared data with `{PULL}`; new data is a new workload"

    def check(self, subject: SpecTree) -> Iterator[Finding]:
        for split in _sets(subject):
            if not split.file_path.is_file():
                continue
            try:
                digest = sha256_file(split.file_path)
            except DustError as error:
                digest = error.what
            if digest != split.sha256:
                yield self.finding(
                    split.place("sha256"), split.sha256, f"{digest} of {split.manifest}"
                )


class ManifestDisagrees(TreeRule):
    """Scenes and the number of pairs are declared beside the digest, so that reviewers can read
    them. They must match the manifest.
    """

    id = "DATA004"
    title = "a set's scenes or pairs are not those of its manifest"
    fix = "copy scenes and pairs from the manifest"
    requires = ("SPEC001", "SPEC004", "DATA003")

    def check(self, subject: SpecTree) -> Iterator[Finding]:
        for split in _sets(subject):
            content = _content(split.file_path)
            scenes, pairs = content.get("scenes"), content.get("pairs")
            if isinstance(scenes, list) and sorted(map(str, scenes)) != sorted(split.scenes):
                expected = ", ".join(map(str, scenes))
                yield self.finding(split.place("scenes"), list(split.scenes), expected)
            if isinstance(pairs, int) and split.pairs is not None and pairs != split.pairs:
                yield self.finding(split.place("pairs"), split.pairs, f"{pairs} in the manifest")


class NotFetched(TreeRule):
    """A fresh clone lacks the data that DVC keeps. Until it is fetched, it cannot be compared with
    the declared digest.
    """

    id = "DATA005"
    title = "a set has not been fetched, so it was not compared with its digest"
    fix = f"run `{PULL}`"
    severity = "warning"

    def check(self, subject: SpecTree) -> Iterator[Finding]:
        for split in _sets(subject):
            if not split.file_path.is_file() and _fetchable(split.file_path):
                yield self.finding(split.place("manifest"), split.manifest, "a file that is there")


@dataclass(frozen=True, slots=True)
class _Set:
    """A declared set: the file and the place that declare it, and the declaration."""

    file: YamlFile
    name: str
    file_path: Path
    manifest: str
    sha256: str
    pairs: int | None
    scenes: tuple[str, ...]

    def place(self, *loc: str | int) -> Place:
        return self.file.place(("spec", "data", self.name, *loc))


def _sets(tree: SpecTree) -> Iterator[_Set]:
    """The sets that the workload declares, and the sets with which profiles replace them.

    A set without a digest yet is left out: `fill_in` in its profile says what to supply.
    """
    for file in (*tree.of_kind("Workload"), *tree.of_kind("Profile")):
        splits = file.model.spec.data if file.model else None
        if not isinstance(splits, DataSplits | OpenSplits):
            continue
        for name in type(splits).model_fields:
            split = getattr(splits, name)
            if split.sha256 is not None:
                yield _Set(
                    file=file,
                    name=name,
                    file_path=tree.folder.parent / split.manifest,
                    manifest=split.manifest,
                    sha256=split.sha256,
                    pairs=split.pairs,
                    scenes=split.scenes or (),
                )


def _fetchable(file: Path) -> bool:
    """Whether DVC keeps the file, or a folder that contains it."""
    return any(Path(f"{path}.dvc").is_file() for path in (file, *file.parents[:3]))


def _content(manifest: Path) -> dict[str, object]:
    """A manifest's values; empty if it cannot be read, which ManifestChanged reports."""
    try:
        content = read_json_bounded(manifest, MAX_MANIFEST_BYTES)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


RULES = (
    ScenesDisjoint(),
    ManifestAbsent(),
    ManifestChanged(),
    ManifestDisagrees(),
    NotFetched(),
)
