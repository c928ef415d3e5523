"""The page of a profile, made from what is on the disk now."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dust_core.declared.project import lock_path
from dust_core.declared.specs import load_specs, resolve
from dust_eval.report.content import Content, gather
from dust_eval.report.illustrations import Illustrations, illustrate
from dust_eval.report.live import log_files, unfinished
from dust_eval.report.other_run import gather_other
from dust_eval.report.page import render
from dust_eval.report.runs import RunComparison, compare_runs


@dataclass(frozen=True)
class Source:
    """What a page is made from.

    Attributes:
        specs: the folder of the specs.
        artifacts: a folder with a folder of results for each profile.
        other: the run to compare with; None for none.
        pictures: whether networks draw pictures and a scene.
    """

    specs: Path
    artifacts: Path
    profile: str
    other: str | None = None
    pictures: bool = True

    @property
    def folder(self) -> Path:
        """The profile's folder of artifacts."""
        return self.artifacts / self.profile

    def stamp(self) -> str:
        """A digest that changes where a spec, a record or a log of a training does."""
        seen = hashlib.sha256()
        for path in self._files():
            try:
                about = path.stat()
            except OSError:  # it was removed just now
                continue
            seen.update(f"{path}\n{about.st_mtime_ns}\n{about.st_size}\n".encode())
        return seen.hexdigest()[:16]

    def _files(self) -> Iterator[Path]:
        yield from sorted(self.specs.rglob("*.yaml"))
        yield self.folder.parent.parent / lock_path(self.profile)
        for kind in ("*.json", "*.pth", "*.onnx"):
            yield from sorted(self.folder.glob(kind))
        yield from sorted(self.folder.glob(".work/*/finished.pt"))
        yield from log_files(self.folder)


@dataclass(frozen=True)
class Built:
    """A page and what it was made of."""

    html: str
    content: Content
    illustrations: Illustrations | None
    other: Content | None
    compared: RunComparison | None


def build(source: Source, before: Built | None = None, stamp: str = "") -> Built:
    """Make the page.

    Args:
        before: an earlier page, whose pictures are taken where they are of the same networks, and
            whose other revision is.
        stamp: see `render`.

    Raises:
        DustError: see `gather` and `gather_other`.
        ModuleNotFoundError: see `render`.
    """
    specs = load_specs(source.specs)
    specs.profile(source.profile)
    content = gather(specs, source.profile, source.folder)
    other = compared = None
    if source.other is not None:
        # A folder may change, and a revision does not.
        other = before.other if before and not Path(source.other).is_dir() else None
        other = other or gather_other(source.other, specs, source.profile)
        compared = compare_runs(other, content, source.other)
    drawn = None
    if source.pictures:
        view = content.eight_bits
        task = resolve(specs, view.task, source.profile) if view else None
        drawn = illustrate(task, view, source.folder, before.illustrations if before else None)
    html = render(content, drawn, compared=compared, running=unfinished(source.folder), stamp=stamp)
    return Built(html, content, drawn, other, compared)
