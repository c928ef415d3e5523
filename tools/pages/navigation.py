"""The order in which a reader finds the pages."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from pages.documents import title_of

START = ("README.md", "docs/tutorial.md", "docs/words.md")
GUIDES: dict[str, tuple[str, ...]] = {
    "Networks": ("docs/model.md", "docs/scene.md"),
    "Data": ("docs/data.md", "data/README.md", "docs/levels.md"),
    "Stages": (
        *("docs/teacher.md", "docs/distill.md", "docs/quantize.md", "docs/prune.md"),
        *("docs/ablate.md", "docs/engine.md", "docs/evaluate.md"),
    ),
    "Machines": ("docs/gpu.md", "docs/machines.md"),
    "Review": ("docs/review.md", "docs/protection.md", "docs/audit.md", "docs/records.md"),
    "The project": ("CONTRIBUTING.md", "docs/style.md", "SECURITY.md", "CHANGELOG.md"),
}
COMMANDS = "reference/commands.md"
REFERENCE = ("docs/specs.md", "docs/rules.md", COMMANDS)
ADR = "docs/adr"
PACKAGES = ("dust-core", "dust-eval", "dust-compress")
LICENCES = ("data/LICENCES.md",)


def navigation(
    pages: Path,
    documents: Iterable[PurePosixPath],
    modules: Iterable[tuple[str, PurePosixPath]],
) -> list[dict[str, Any]]:
    """The navigation as Zensical takes it: titles with a page, or with what is below them.

    A guide that no table here names comes last among the guides.
    """
    named = {str(path) for path in documents} | {str(path) for _, path in modules} | {COMMANDS}
    present = {path for path in named if (pages / path).is_file()}

    def entries(paths: Iterable[str]) -> list[dict[str, Any]]:
        return [{title_of(pages / path): path} for path in paths if path in present]

    cards = sorted(path for path in present if path.startswith("docs/cards/"))
    decisions = sorted(path for path in present if path.startswith(f"{ADR}/"))
    placed = {path for paths in GUIDES.values() for path in paths} | {*START, *REFERENCE}
    further = sorted(path for path in present - placed if PurePosixPath(path).parent.name == "docs")
    guides = [part for title, paths in GUIDES.items() for part in _section(title, entries(paths))]
    reference = [
        *entries(REFERENCE),
        *_section("Model cards", entries(cards)),
        *_code(present, modules),
        *entries(LICENCES),
    ]
    listed = [{"All decisions": f"{ADR}/index.md"}] if decisions else []
    return [
        {"Start": START[0]},
        *({"Tutorial": path} for path in START[1:] if path in present),
        *_section("Guides", [*guides, *entries(further)]),
        *_section("Reference", reference),
        *_section("Decisions", [*listed, *entries(decisions)]),
    ]


def _section(title: str, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A section as an item of a list; nothing where it is empty, which Zensical links to `none`."""
    return [{title: entries}] if entries else []


def _code(
    present: set[str], modules: Iterable[tuple[str, PurePosixPath]]
) -> Iterable[dict[str, Any]]:
    """A section for each of the three packages, which begins with its README."""
    sections: dict[str, list[dict[str, Any]]] = {}
    for package, path in modules:
        name = package.partition(".")[0].replace("_", "-")
        readme = f"packages/{name}/README.md"
        section = sections.setdefault(name, [{"Overview": readme}] if readme in present else [])
        section.append({package.partition(".")[2] or package: str(path)})
    return ({name: sections[name]} for name in PACKAGES if name in sections)
