"""Prints what an image holds, as JSON; runs inside the image, on the standard library alone."""

import json
import platform
import shutil
import subprocess
from importlib.metadata import distributions

COMPILERS = (
    "as",
    "c++",
    "c89",
    "cc",
    "clang",
    "g++",
    "gcc",
    "gfortran",
    "ld",
    "make",
    "nvcc",
    "rustc",
)


def main() -> None:
    """Print Python, its distributions, Debian's packages and the compilers on the path."""
    listing = ("dpkg-query", "--show", "--showformat", "${Package} ${Version} ${Architecture}\n")
    debian = subprocess.run(listing, capture_output=True, text=True, check=True).stdout
    contents = {
        "python": platform.python_version(),
        "distributions": sorted(
            (found.name, found.version, found.metadata["License-Expression"] or "")
            for found in distributions()
        ),
        "debian": sorted(line.split() for line in debian.splitlines()),
        "compilers": [name for name in COMPILERS if shutil.which(name)],
    }
    print(json.dumps(contents))


if __name__ == "__main__":
    main()
