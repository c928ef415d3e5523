"""DATA: that the frozen sets are the declared ones, and that no scene is in two of them."""

import json
from collections.abc import Iterator
from pathlib import Path

from dust_core.checks.finding import Finding
from dust_core.checks.rules.base import TreeRule
from dust_core.checks.subjects import SpecTree, YamlFile
from dust_core.checks.subjects.faults import Loc
from dust_core.errors import DustError
from dust_core.files import sha256_file
from dust_core.specs.models import DataSplit, DataSplits

MAX_MANIFEST_BYTES = 64_000_000


class ScenesDisjoint(TreeRule):
    """Calibration, training, validation and the workload are split by scene: a network that has
    seen a scene in training is not judged on it.
    """

    id = "DATA001"
    title = "two sets share a scene"
    fix = "leave the scene in one of the sets, and freeze the other again"

    def check(self, subject: SpecTree) -> Iterator[Finding]:
        for file, loc, splits in _sets(subject):
            owner: dict[str, str] = {}
            for name, split in _each(splits):
                for index, scene in enumerate(split.scenes):
                    first = owner.setdefault(scene, name)
                    if first != name:
                        place = file.place((*loc, name, "scenes", index))
                        yield self.finding(place, scene, f"a scene that {first} does not have")


class ManifestAbsent(TreeRule):
    """Each set is frozen by its manifest, which holds the SHA-256 of its shards."""

    id = "DATA002"
    title = "a set's manifest is absent"
    fix = "fetch it with dvc pull, or correct the path"

    def check(self, subject: SpecTree) -> Iterator[Finding]:
        for file, loc, splits in _sets(subject):
            for name, split in _each(splits):
                if not _manifest(subject, split).is_file():
                    place = file.place((*loc, name, "manifest"))
                    yield self.finding(place, split.manifest, "a file that is there")


class ManifestChanged(TreeRule):
    """The digest in the spec ties the declared set to its bytes. With another manifest, every
    figure would be of other data under the same name.
    """

    id = "DATA003"
    title = "a set's manifest has another SHA-256 than declared"
    fix = "fetch the declared data with dvc pull; new data is a new workload"

    def check(self, subject: SpecTree) -> Iterator[Finding]:
        for file, loc, splits in _sets(subject):
            for name, split in _each(splits):
                manifest = _manifest(subject, split)
                if not manifest.is_file():
                    continue
                try:
                    found = sha256_file(manifest)
                except DustError as error:
                    found = error.what
                if found != split.sha256:
                    place = file.place((*loc, name, "sha256"))
                    yield self.finding(place, split.sha256, f"{found} of {split.manifest}")


class ManifestDisagrees(TreeRule):
    """Scenes and the number of pairs are declared beside the digest for reviewers to read; they are
    those of the manifest.
    """

    id = "DATA004"
    title = "a set's scenes or pairs are not those of its manifest"
    fix = "copy scenes and pairs from the manifest"
    requires = ("SPEC001", "SPEC004", "DATA003")

    def check(self, subject: SpecTree) -> Iterator[Finding]:
        for file, loc, splits in _sets(subject):
            for name, split in _each(splits):
                content = _content(_manifest(subject, split))
                scenes, pairs = content.get("scenes"), content.get("pairs")
                if isinstance(scenes, list) and sorted(map(str, scenes)) != sorted(split.scenes):
                    place = file.place((*loc, name, "scenes"))
                    yield self.finding(place, list(split.scenes), f"{', '.join(map(str, scenes))}")
                if isinstance(pairs, int) and pairs != split.pairs:
                    yield self.finding(
                        file.place((*loc, name, "pairs")), split.pairs, f"{pairs} in the manifest"
                    )


def _sets(tree: SpecTree) -> Iterator[tuple[YamlFile, Loc, DataSplits]]:
    """The sets that the workload declares, and those that profiles bring in their place."""
    if tree.workload:
        file, workload = tree.workload
        yield file, ("spec", "data"), workload.data
    for file in tree.of_kind("Profile"):
        if file.model and isinstance(file.model.spec.data, DataSplits):
            yield file, ("spec", "data"), file.model.spec.data


def _each(splits: DataSplits) -> Iterator[tuple[str, DataSplit]]:
    for name in DataSplits.model_fields:
        yield name, getattr(splits, name)


def _manifest(tree: SpecTree, split: DataSplit) -> Path:
    return tree.folder.parent / split.manifest


def _content(manifest: Path) -> dict[str, object]:
    """A manifest's values; empty where it cannot be read, which ManifestChanged tells."""
    try:
        if manifest.stat().st_size > MAX_MANIFEST_BYTES:
            return {}
        content = json.loads(manifest.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


RULES = (ScenesDisjoint(), ManifestAbsent(), ManifestChanged(), ManifestDisagrees())
