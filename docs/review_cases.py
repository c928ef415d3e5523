"""Write what docs/review.md shows of tests/review: the table of cases, and reports as pictures.

python docs/review_cases.py             # writes the table anew
python docs/review_cases.py --check     # exits 1 where the table is not that of the tests
python docs/review_cases.py --pictures  # draws the reports too; needs chromium on the path
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "review.md"
PICTURES = ROOT / "docs" / "images" / "review"
WIDTH = 1000  # pixels

sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "review")]

from manipulations import CASES, Case  # noqa: E402 - the tests are no package
from manipulations.clone import Clone, environment, make_template  # noqa: E402

PICTURED = (
    "raised", "last_holder_deleted", "other_threads", "drawn_again", "metric", "experiment_added",
)  # fmt: skip

PAGE = """<!doctype html><meta charset="utf-8"><style>
body {{ font: 15px/1.5 system-ui, sans-serif; color: #1f2328; margin: 24px 32px; }}
h2 {{ border-bottom: 1px solid #d1d9e0; padding-bottom: 6px; }}
table {{ border-collapse: collapse; margin: 10px 0; }}
th, td {{ border: 1px solid #d1d9e0; padding: 5px 12px; text-align: left; vertical-align: top; }}
tr:nth-child(even) td {{ background: #f6f8fa; }}
code {{ font: 13px ui-monospace, monospace; background: #eff1f3; padding: 1px 5px;
        border-radius: 5px; overflow-wrap: anywhere; }}
td:first-child code {{ white-space: nowrap; }}
</style><body>{body}</body>"""


def main() -> None:
    """Write the table, or compare it; draw pictures where they are asked for."""
    before = DOCUMENT.read_text(encoding="utf-8")
    marks = r"(<!-- cases: .*? -->\n).*?(<!-- end -->)"
    table = f"\n{cases_as_markdown()}\n\n"
    text = re.sub(marks, lambda marked: f"{marked[1]}{table}{marked[2]}", before, flags=re.S)
    if "--check" in sys.argv[1:]:
        if text != before:
            sys.exit(f"{DOCUMENT}: the table is stale; write it: python docs/review_cases.py")
        return
    DOCUMENT.write_text(text, encoding="utf-8")
    if "--pictures" in sys.argv[1:]:
        draw_pictures()


def cases_as_markdown() -> str:
    """Every case, class by class: what is tried, the command that notices, and what it says."""
    parts = []
    for group, members in groupby(CASES, key=lambda case: case.group):
        rows = [
            f"| {case.what} | {_outcome(case)} | `dust {case.command}` | `{_said(case)}` |"
            for case in members
        ]
        header = ["| what is tried | | noticed by | which says |", "| --- | --- | --- | --- |"]
        parts.append("\n".join([f"**{group}**", "", *header, *rows]))
    return "\n\n".join(parts)


def _outcome(case: Case) -> str:
    return "refused" if case.code else "shown"


def _said(case: Case) -> str:
    return case.said.replace("|", "\\|").replace("`", "'")


def draw_pictures() -> None:
    """Draw what `dust` answers to some of the cases."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(environment(Path(folder)))
        for case in CASES:
            if case.name in PICTURED:
                report = _report(case, make_template(Path(folder) / case.name))
                draw(report, PICTURES / f"{case.name}.png", Path(folder))


def _report(case: Case, clone: Clone) -> str:
    case.change(clone)
    clone.commit()
    command = [sys.executable, "-m", "dust_core", *case.command.split()]
    done = subprocess.run(command, cwd=clone.root, capture_output=True, text=True, check=False)
    if done.returncode != case.code:
        sys.exit(f"{case.name}: exit code {done.returncode}, expected {case.code}\n{done.stderr}")
    return re.sub(r"\\([0-9a-f]{10}\\)", "(4f0c2a91d7)", done.stdout)


def draw(report: str, picture: Path, folder: Path) -> None:
    """Draw a report as a pull request shows it, with a page in `folder`."""
    from markdown_it import MarkdownIt

    page = folder / "page.html"
    body = MarkdownIt("gfm-like", {"linkify": False}).disable("linkify").render(report)
    page.write_text(PAGE.format(body=body), encoding="utf-8")
    height = 80 + sum(_lines(report)) * 30
    subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--hide-scrollbars",
         f"--window-size={WIDTH},{height}", f"--screenshot={picture}", page.as_uri()],
        check=True, capture_output=True,
    )  # fmt: skip
    _crop(picture)


def _crop(picture: Path) -> None:
    """Cut off what is empty below the report."""
    from PIL import Image, ImageOps

    with Image.open(picture) as drawn:
        image = drawn.convert("RGB")
    *_, last = ImageOps.invert(image).getbbox() or (0, 0, 0, image.height)
    image.crop((0, 0, image.width, min(last + 24, image.height))).save(picture, optimize=True)


def _lines(report: str) -> Iterator[int]:
    """How many lines each line of a report takes on the page, roughly."""
    for line in report.splitlines():
        yield 1 + len(line) // 120


if __name__ == "__main__":
    main()
