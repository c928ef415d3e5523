"""The repository's documents, copied with every file that they link to.

The copy keeps the repository's folders, so that relative links hold on the site as they do on a git
host. A linked file that is no page of its own becomes one: text as a block of code, a folder as its
README or as a list of its documents.
"""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

DOCUMENTS = (
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"),
    *("docs/**/*.md", "data/*.md", "packages/*/README.md"),
)
LISTED = {PurePosixPath("docs/adr"): "Decisions"}  # folders whose list is a page, and its title
PICTURES = {".png", ".jpg", ".svg"}
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<=\]\()(?P<path>[^)\s#:]+)(?P<anchor>#[^)\s]*)?(?=\))")
ROW = re.compile(r"^\|.*$", re.MULTILINE)
CODE = re.compile(r"`[^`]+`")
LANGUAGES = {".json": "json", ".py": "python", ".toml": "toml", ".yaml": "yaml"}


@dataclass
class Copy:
    """A copy of documents in `pages`; `waiting` are files that they link to, not yet copied."""

    root: Path
    pages: Path
    waiting: list[PurePosixPath] = field(default_factory=list)
    done: set[PurePosixPath] = field(default_factory=set)

    def place(self, path: PurePosixPath) -> Path:
        """Where a page or picture goes, and its folder exists."""
        target = self.pages / path
        target.parent.mkdir(parents=True, exist_ok=True)
        return target


def copy_documents(root: Path, pages: Path) -> list[PurePosixPath]:
    """Copy the repository's documents to `pages`; the documents, without what they link to."""
    copy = Copy(root, pages)
    documents = [
        PurePosixPath(path.relative_to(root).as_posix())
        for pattern in DOCUMENTS
        for path in sorted(root.glob(pattern))
    ]
    copy.waiting = [*documents, *(path for path in LISTED if (root / path).is_dir())]
    while copy.waiting:
        path = copy.waiting.pop()
        if path not in copy.done:
            copy.done.add(path)
            _copy_one(copy, path)
    return documents


def title_of(path: Path) -> str:
    """The first heading of a document, without marks of code."""
    heading = re.search(r"^# (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return heading[1].replace("`", "") if heading else path.stem


def _copy_one(copy: Copy, path: PurePosixPath) -> None:
    source = copy.root / path
    if source.is_dir():
        listed = sorted(source.glob("*.md"))
        lines = [f"- [{title_of(page)}]({page.name})" for page in listed]
        copy.place(path / "index.md").write_text(
            f"# {LISTED.get(path, path)}\n\n" + "\n".join(lines) + "\n", encoding="utf-8"
        )
    elif path.suffix == ".md":
        text = source.read_text(encoding="utf-8")
        copy.place(path).write_text(_linked(copy, path, text), encoding="utf-8")
    elif path.suffix in PICTURES:
        copy.place(path).write_bytes(source.read_bytes())
    else:
        language = LANGUAGES.get(path.suffix, "text")
        text = f"# {path}\n\n````{language}\n{source.read_text(encoding='utf-8')}````\n"
        copy.place(path.with_name(f"{path.name}.md")).write_text(text, encoding="utf-8")


def _linked(copy: Copy, page: PurePosixPath, text: str) -> str:
    """The text of a page, whose links to files and folders of the repository go to their pages."""

    def replaced(link: re.Match[str]) -> str:
        path = PurePosixPath(posixpath.normpath(page.parent / link["path"]))
        source = copy.root / path
        if path.parts[:1] == ("..",) or not source.exists():
            return link[0]  # which the build refuses
        if source.is_dir() and (source / "README.md").is_file():
            path /= "README.md"
        copy.waiting.append(path)
        shown = _page_of(copy.root, path)
        return posixpath.relpath(shown, page.parent) + (link["anchor"] or "")

    return "".join(
        part if is_code else LINK.sub(replaced, ROW.sub(_bare_pipes, part))
        for part, is_code in _parts(text)
    )


def _bare_pipes(row: re.Match[str]) -> str:
    """A row of a table whose code has bare pipes.

    A git host drops the backslash of a pipe in code; Python-Markdown shows it, and needs none.
    """
    return CODE.sub(lambda code: code[0].replace("\\|", "|"), row[0])


def _page_of(root: Path, path: PurePosixPath) -> PurePosixPath:
    if (root / path).is_dir():
        return path / "index.md"
    return path if path.suffix in {".md", *PICTURES} else path.with_name(f"{path.name}.md")


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """The parts of a document in order, each with whether it is a block of code."""
    end = 0
    for block in FENCE.finditer(text):
        yield text[end : block.start()], False
        yield block[0], True
        end = block.end()
    yield text[end:], False
