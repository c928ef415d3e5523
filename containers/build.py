"""Builds the CPU image twice, compares, lists and uses it: `nox -s containers`.

Each step prints one line; what its programs print is in .nox/containers/build.log, and the list of
contents is .nox/containers/cpu.cdx.json. Where the pinned base cannot be pulled, the build starts
from a stand-in: the same release of Debian with its own Python. `--lock` writes debian.lock anew.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hashes import PLATFORMS
from sbom import sbom

from dust_core.errors import DustError

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / ".nox" / "containers"
LOG = WORK / "build.log"
TAG = "localhost/dust:cpu"
STAND_IN = "localhost/dust-stand-in:{debian}"
OWNER = 1000
"""The user of the image, who has no privileges."""

# chroot needs neither a daemon nor namespaces of its own: it works in a sandbox too.
ISOLATION = ("--isolation", "chroot")
USE = ("nox", "-s", "p3", "--", "--profile", "ci")
DEBIAN_LOCK = (
    "apt-get update && apt-get -o Dir::State::status=/dev/null install --yes "
    "--no-install-recommends --download-only git && cd /var/cache/apt/archives && "
    "sha256sum *.deb > /out/debian.lock"
)


def main(arguments: list[str]) -> int:
    """Do all steps; the exit code is 2 if one cannot be done and 1 if the image is not right."""
    parser = argparse.ArgumentParser(prog="nox -s containers --", description=__doc__)
    parser.add_argument("--lock", action="store_true", help="write containers/debian.lock anew")
    parser.add_argument("--keep", action="store_true", help="keep the image and the stand-in")
    asked = parser.parse_args(arguments)
    WORK.mkdir(parents=True, exist_ok=True)
    LOG.unlink(missing_ok=True)
    try:
        _require("buildah", "buildah")
        lock = tomllib.loads((ROOT / "containers" / "lock.toml").read_text(encoding="utf-8"))
        base, python = _base(lock["cpu"])
        if asked.lock:
            _lock_debian(base)
            return 0
        return _build_and_use(lock["cpu"]["image"], base, python, keep=asked.keep)
    except DustError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def _build_and_use(image: str, base: str, python: str, *, keep: bool) -> int:
    wheels = _wheels(python)
    first, second = (_build(image, base, wheels, f"{TAG}-{turn}") for turn in ("1", "2"))
    if first != second:
        raise DustError(f"two builds differ: {first} and {second}", where=TAG, exit_code=1)
    _say(f"built twice, with one id: {first}")
    _call("buildah", "tag", first, TAG)
    try:
        _inspect(first)
        _use(first)
    finally:
        kept = {TAG, *([] if base == image else [base])} if keep else set()
        _call("buildah", "rmi", *{f"{TAG}-1", f"{TAG}-2", TAG, base} - kept)
    return 0


def _base(cpu: dict[str, Any]) -> tuple[str, str]:
    """What to start from, and the version of its Python: the pinned image, or the stand-in."""
    if _call("buildah", "pull", "--quiet", cpu["image"], may_fail=True):
        _say(f"base: {cpu['image']}")
        return cpu["image"], cpu["python"]
    debian, python = cpu["stand_in"]["debian"], cpu["stand_in"]["python"]
    name = STAND_IN.format(debian=debian)
    if not _call("buildah", "inspect", "--type", "image", name, may_fail=True):
        _require("mmdebstrap", "mmdebstrap")
        with TemporaryDirectory(dir=WORK) as folder:
            _make_stand_in(name, debian, Path(folder))
    _say(f"base: the pinned image cannot be pulled; a stand-in, Debian {debian}, Python {python}")
    return name, python


def _make_stand_in(name: str, debian: str, folder: Path) -> None:
    root = folder / "root.tar"
    packages = "--include=python3,python3-pip,ca-certificates"
    command = ("mmdebstrap", "--variant=minbase", packages, debian, str(root))
    _call(*command, SOURCE_DATE_EPOCH="0")
    recipe = folder / "Containerfile"
    # pip of Debian installs only where this mark is absent.
    recipe.write_text(
        "FROM scratch\nADD root.tar /\n"
        "RUN ln -s python3 /usr/bin/python && rm /usr/lib/python3*/EXTERNALLY-MANAGED\n"
        "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
    )
    words = ("--timestamp", "0", "--file", str(recipe), "--tag", name, str(folder))
    _call("buildah", "bud", *ISOLATION, *words)


def _wheels(python: str) -> Path:
    """The locked files for that Python, downloaded by the pip of this environment, with its index.

    pip checks their hashes.
    """
    folder = WORK / f"wheels-{python}"
    platforms = [word for name in PLATFORMS for word in ("--platform", f"{name}_x86_64")]
    lock = ROOT / "containers" / "hashed.lock"
    _call(
        *(sys.executable, "-m", "pip", "download", "--require-hashes", "--no-deps"),
        *("--python-version", python, *platforms, "--dest", str(folder)),
        *("--find-links", str(folder), "--requirement", str(lock)),
    )
    size = sum(path.stat().st_size for path in folder.iterdir())
    _say(f"{len(list(folder.iterdir()))} packages for Python {python}, by hash: {_mega(size)}")
    return folder


def _build(image: str, base: str, wheels: Path, tag: str) -> str:
    """The id of the image that the Containerfile makes."""
    contexts = [f"wheels={wheels}"]
    if base != image:
        contexts.append(f"{image}=container-image://{base}")
    written = WORK / "image.id"
    _call(
        *("buildah", "bud", *ISOLATION, "--timestamp", "0", "--no-cache", "--pull-never"),
        *(word for context in contexts for word in ("--build-context", context)),
        *("--file", str(ROOT / "containers" / "Containerfile.cpu")),
        *("--ignorefile", str(ROOT / ".containerignore")),
        *("--iidfile", str(written), "--tag", tag, str(ROOT)),
    )
    return written.read_text().removeprefix("sha256:").strip()


def _inspect(image: str) -> None:
    """Print the size, write the list of contents, and refuse a compiler."""
    with _container(image) as container, TemporaryDirectory(dir=WORK) as folder:
        Path(folder).chmod(0o755)  # the image's user reads it
        shutil.copy(ROOT / "containers" / "contents.py", folder)
        mount = ("--volume", f"{folder}:/list:ro")
        printed = _run(container, *mount, command=("python", "/list/contents.py"))
    contents = json.loads(printed)
    if contents["compilers"]:
        raise DustError(
            f"the image holds compilers: {', '.join(contents['compilers'])}",
            where=TAG,
            fix="remove the package that brings them from containers/Containerfile.cpu",
            exit_code=1,
        )
    written = WORK / "cpu.cdx.json"
    written.write_text(sbom(TAG, image, contents), encoding="utf-8")
    listed = f"{len(contents['distributions'])} of Python, {len(contents['debian'])} of Debian"
    sizes = json.loads(_call("buildah", "images", "--json", TAG) or "[]")
    _say(f"no compiler; {sizes[0]['size']}; {listed}: {written.relative_to(ROOT)}")


def _use(image: str) -> None:
    """Reproduce P3 on a clone of the checkout, as a user without privileges."""
    with _container(image) as container, TemporaryDirectory(dir=WORK) as folder:
        clone = Path(folder) / "dust"
        _call("git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(clone))
        for path in (clone, *clone.rglob("*")):
            os.chown(path, OWNER, OWNER, follow_symlinks=False)
        mount = ("--user", f"{OWNER}:{OWNER}", "--volume", f"{clone}:/dust")
        _run(container, *mount, command=USE)
    _say(f"as user {OWNER}, on a mounted clone: {' '.join(USE)}")


@contextmanager
def _container(image: str) -> Iterator[str]:
    name = (_call("buildah", "from", image) or "").split()[-1]
    try:
        yield name
    finally:
        _call("buildah", "rm", name)


def _run(container: str, *options: str, command: tuple[str, ...]) -> str:
    return _call("buildah", "run", *ISOLATION, *options, container, "--", *command) or ""


def _lock_debian(base: str) -> None:
    path = ROOT / "containers" / "debian.lock"
    with _container(base) as container, TemporaryDirectory(dir=WORK) as folder:
        _run(container, "--volume", f"{folder}:/out", command=("sh", "-ec", DEBIAN_LOCK))
        found = (Path(folder) / "debian.lock").read_text()
    header = [line for line in path.read_text().splitlines() if line.startswith("#")]
    path.write_text("\n".join(header) + "\n" + found)
    _say(f"{path.relative_to(ROOT)}: {len(found.splitlines())} packages")


def _call(*command: str, may_fail: bool = False, **variables: str) -> str | None:
    """What a program prints, its messages in the log; None if it fails and may fail.

    Raises:
        DustError: it failed, with its last line.
    """
    with LOG.open("a") as log:
        log.write(f"$ {' '.join(command)}\n")
        log.flush()
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            check=False,
        )
        log.write(done.stdout)
    if done.returncode == 0:
        return done.stdout or " "
    if may_fail:
        return None
    lines = LOG.read_text().splitlines()
    said = [line for line in lines if line.strip() and "exit status" not in line]
    said = [line for line in said if not line.startswith("subprocess exited")]
    raise DustError(
        f"'{' '.join(command[:2])}' failed: {said[-1]}",
        where=str(LOG.relative_to(ROOT)),
        fix="that file has all messages; repeat when the cause is gone",
    )


def _require(program: str, package: str) -> None:
    if shutil.which(program) is None:
        raise DustError(
            f"{program} is not installed, and it builds the images",
            fix=f"install it, for example: apt-get install --yes {package}",
        )


def _mega(size: int) -> str:
    return f"{size / 1e6:.0f} MB"


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
