"""Run by the Python of a bare environment, in which one package is installed: does it work alone?

Only the standard library and what the package itself requires may be imported here.
"""

import subprocess
import sys
from importlib.metadata import entry_points, version
from importlib.util import find_spec
from pathlib import Path

HEAVY = {
    "dust-core": ("torch", "numpy", "dvc", "dust_eval", "dust_compress"),
    "dust-eval": ("torch", "dvc", "dust_compress"),
    "dust-compress": ("modelopt", "dvc"),
}


def main(package: str) -> None:
    """Fail unless the environment is bare, and every verb of the package answers in it."""
    present = [name for name in HEAVY[package] if find_spec(name)]
    if present:
        sys.exit(f"not a bare environment for {package}: {', '.join(present)} can be imported")
    dust = Path(sys.executable).with_name("dust")
    said = subprocess.run([dust, "--version"], check=True, capture_output=True, text=True).stdout
    if said.strip() != f"dust {version('dust-core')}":
        sys.exit(f"dust --version says {said!r}")
    for verb in sorted(entry.name for entry in entry_points(group="dust.commands")):
        subprocess.run([dust, verb, "--help"], check=True, stdout=subprocess.DEVNULL)
    print(f"{package} {version(package)} works in a bare environment")


if __name__ == "__main__":
    main(sys.argv[1])
