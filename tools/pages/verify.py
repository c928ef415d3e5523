"""What is wrong with built pages: links and anchors that lead nowhere, and what the network has."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADING = {"audio", "iframe", "img", "script", "source", "video"}
LOADED_LINKS = {"stylesheet", "icon", "preload", "preconnect", "dns-prefetch"}


@dataclass
class Page:
    """The anchors of a page, where it leads, and what a browser loads for it."""

    anchors: set[str] = field(default_factory=set)
    links: set[str] = field(default_factory=set)
    loaded: set[str] = field(default_factory=set)

    def has(self, anchor: str) -> bool:
        """Whether a link may end in this anchor; the empty one is the page itself."""
        return not anchor or anchor in self.anchors


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.page.anchors |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.page.links.add(values["href"])
        if tag in LOADING and "src" in values:
            self.page.loaded.add(values["src"])
        if tag == "link" and LOADED_LINKS & set(values.get("rel", "").split()):
            self.page.loaded.add(values["href"])


def faults(site: Path) -> list[str]:
    """Each fault of the pages in `site` as `PAGE: what is wrong`, in the order of the pages."""
    site = site.resolve()
    pages = {path: _read(path) for path in sorted(site.rglob("*.html")) if path.name != "404.html"}
    return [
        f"{path.relative_to(site)}: {fault}"
        for path, page in pages.items()
        for fault in _faults_of(path, page, pages)
    ]


def _read(path: Path) -> Page:
    reader = _Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader.page


def _faults_of(path: Path, page: Page, pages: dict[Path, Page]) -> Iterator[str]:
    for address in sorted(page.loaded):
        if urlsplit(address).scheme not in {"", "data"} or address.startswith("//"):
            yield f"loads {address}, which is elsewhere"
    for address in sorted(page.links | page.loaded):
        parts = urlsplit(address)
        if parts.scheme or parts.netloc:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path.resolve()
        if target.is_dir():
            target /= "index.html"
        if not target.is_file():
            yield f"leads to {address}, which is not there"
        elif target in pages and not pages[target].has(unquote(parts.fragment)):
            yield f"leads to {address}, whose page has no such anchor"
