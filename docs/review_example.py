"""Write the example of docs/review.md: a pull request made in a temporary clone, and its review.

python docs/review_example.py            # writes the example anew
python docs/review_example.py --check    # exits 1 where it is not what dust says
python docs/review_example.py --pictures # draws both reports too; needs chromium on the path
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "review.md"

EDITS = (
    # K-2 is tried at T = 4 instead of 5; its id and its file follow, and K-4 reads that file.
    ("specs/v1/distill.yaml", "T: 5\n", "T: 4\n"),
    ("specs/v1/distill.yaml", "K_T5B05_run", "K_T4B05_run"),
    ("specs/v1/distill.yaml", "student_fp32_t5b05.pth", "student_fp32_t4b05.pth"),
    ("specs/v1/distill.yaml", "title: Distill at T = 5", "title: Distill at T = 4"),
    # The size line is loosened, and nobody is asked.
    ("specs/v1/gates.yaml", "value: 25", "value: 20"),
)
LAST_DAY = str(datetime.now(UTC).date() + timedelta(days=180))
SHOWN_DAY = "2027-03-31"
"""The example's date, so that it stays what it is; a waiver holds for 180 days at most."""

WAIVER = (
    "specs/v1/gates.yaml",
    'size_or_params_down\n      op: ">="\n      value: 20',
    'size_or_params_down\n      op: ">="\n      value: 20\n'
    "      waiver:\n        from: 25\n        to: 20\n"
    "        reason: this runtime pads channels to multiples of 32\n"
    '        owner: "@ana"\n        approved_by: "@dust-project/spec-approvers"\n'
    f"        expires: {LAST_DAY}",
)


def main() -> None:
    """Write the example, or compare it."""
    text = DOCUMENT.read_text(encoding="utf-8")
    reports = examples()
    if "--pictures" in sys.argv[1:]:
        _draw(reports)
    for name, report in reports.items():
        block = _quoted(report)
        marks = rf"(<!-- {name}: .*? -->\n).*?(<!-- end -->)"
        text = re.sub(
            marks, lambda marked, new=block: f"{marked[1]}{new}{marked[2]}", text, flags=re.S
        )
    if text == DOCUMENT.read_text(encoding="utf-8"):
        return
    if "--check" in sys.argv[1:]:
        sys.exit(f"{DOCUMENT}: the example is stale; write it: python docs/review_example.py")
    DOCUMENT.write_text(text, encoding="utf-8")


def _draw(reports: dict[str, str]) -> None:
    from review_cases import PICTURES, draw

    with tempfile.TemporaryDirectory() as folder:
        for name, report in reports.items():
            draw(report.rpartition("\n(exit code")[0], PICTURES / f"{name}.png", Path(folder))


def examples() -> dict[str, str]:
    """What `dust diff main` says of the example, without and with the waiver."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder)
        for name in ("v1", "profiles"):
            shutil.copytree(ROOT / "specs" / name, clone / "specs" / name)
        (clone / ".github").mkdir()
        shutil.copy(ROOT / ".github" / "CODEOWNERS", clone / ".github")
        _git(clone, "init", "--quiet", "--initial-branch", "main")
        _git(clone, "add", ".")
        _git(clone, "commit", "--quiet", "--message", "specs")
        for edit in EDITS:
            _edit(clone, *edit)
        refused = _diff(clone)
        _edit(clone, *WAIVER)
        return {"refused": refused, "waived": _diff(clone)}


def _edit(clone: Path, name: str, old: str, new: str) -> None:
    path = clone / name
    text = path.read_text(encoding="utf-8")
    if old not in text:
        sys.exit(f"{name} no longer has {old!r}: choose another example")
    path.write_text(text.replace(old, new), encoding="utf-8")


def _diff(clone: Path) -> str:
    command = [sys.executable, "-m", "dust_core", "diff", "main"]
    done = subprocess.run(command, cwd=clone, capture_output=True, text=True, check=False)
    if done.returncode > 1:
        sys.exit(done.stderr)
    text = re.sub(r"\([0-9a-f]{10}\)", "(4f0c2a91d7)", done.stdout)  # commits have dates
    text = text.replace(LAST_DAY, SHOWN_DAY)
    return f"{text}\n(exit code {done.returncode})\n"


def _quoted(report: str) -> str:
    quoted = "\n".join(f"> {line}".rstrip() for line in report.splitlines())
    return f"\n{quoted}\n\n"


def _git(clone: Path, *arguments: str) -> None:
    person = ("-c", "user.name=Example", "-c", "user.email=example@example.org")
    outside = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    subprocess.run(["git", *person, *arguments], cwd=clone, env=outside, check=True)


if __name__ == "__main__":
    main()
