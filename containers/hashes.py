"""Writes containers/hashed.lock: requirements.lock with the SHA-256 of the files for the images.

pip's own configuration says where the files come from. It runs after `nox -s lock`.
"""

import json
import subprocess
import sys
import tomllib
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

from check import name_of, normal

ROOT = Path(__file__).resolve().parent.parent
LOCK = "requirements.lock"
PLATFORMS = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014", "linux")
HEADER = """\
# requirements.lock with the SHA-256 of each file that the containers install: Linux on amd64, the
# versions of Python of containers/lock.toml. `nox -s lock` writes it anew.
"""


def main() -> None:
    """Ask pip which file it would install, for each version of Python, and write their hashes."""
    lock = tomllib.loads((ROOT / "containers" / "lock.toml").read_text(encoding="utf-8"))
    hashes: dict[str, list[str]] = defaultdict(list)
    for python in lock["hashes"]["pythons"]:
        for found in _report(python):
            name = normal(found["metadata"]["name"])
            digest = found["download_info"]["archive_info"]["hashes"]["sha256"]
            digest = lock["hashes"]["cpu_builds"].get(name, {}).get(python, digest)
            if digest not in hashes[name]:
                hashes[name].append(digest)
    pins = (line for line in (ROOT / LOCK).read_text(encoding="utf-8").splitlines() if "==" in line)
    lines = [
        " ".join((pin, *(f"--hash=sha256:{digest}" for digest in hashes[name_of(pin)])))
        for pin in pins
    ]
    path = ROOT / "containers" / "hashed.lock"
    path.write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")


def _report(python: str) -> list[dict]:
    with TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        platforms = [word for name in PLATFORMS for word in ("--platform", f"{name}_x86_64")]
        command = [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--dry-run"),
            *("--ignore-installed", "--no-deps", "--report", str(report)),
            *("--python-version", python, *platforms, "--target", folder),
            *("-r", str(ROOT / LOCK)),
        ]
        subprocess.run(command, check=True)
        installed: list[dict] = json.loads(report.read_text(encoding="utf-8"))["install"]
        return installed


if __name__ == "__main__":
    main()
