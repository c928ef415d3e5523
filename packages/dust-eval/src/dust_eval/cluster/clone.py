"""A worker's clones of the project: one for each stage that runs at the same time.

Clones stay in the folder of the machine's workers, and a process takes one that no other process
uses. DVC's cache is beside them, so that a machine fetches each file once.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from dust_core.errors import DustError
from dust_eval.cluster.order import Source

SECONDS_FOR_GIT = 600


@contextmanager
def free_clone(source: Source, base: Path) -> Iterator[tuple[Path, int]]:
    """A clone at the commit, without what earlier stages changed.

    Yields the folder of the project in it, and the file handle that holds the clone. A process that
    inherits the handle holds the clone as well.

    Args:
        source: the repository and the commit.
        base: the folder of the clones.

    Raises:
        DustError: the commit cannot be fetched, or DVC's remote cannot be reached from here.
    """
    base.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(source.url.encode()).hexdigest()[:12]
    for number in count():
        folder = base / f"{digest}-{number}"
        handle = os.open(folder.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            os.close(handle)
    try:
        _bring_to_commit(folder, source)
        _configure(folder / source.subfolder, source, base)
        yield folder / source.subfolder, handle
    finally:
        os.close(handle)


def _bring_to_commit(folder: Path, source: Source) -> None:
    if not (folder / ".git").is_dir():
        shutil.rmtree(folder, ignore_errors=True)
        part = folder.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        _git(source, folder.parent, "clone", "--quiet", "--no-checkout", source.url, str(part))
        part.rename(folder)
    for commit in (source.commit, source.protected):
        if commit is not None and not _has(folder, commit):
            _git(source, folder, "fetch", "--quiet", "origin", commit)
    _git(source, folder, "checkout", "--quiet", "--force", "--detach", source.commit)
    _git(source, folder, "clean", "--quiet", "-d", "--force")  # what git ignores stays
    if source.protected is not None:
        # `dust run` compares the specs with it. In a clone of a clone another branch may be here.
        reference = "refs/remotes/origin/HEAD"
        _git(source, folder, "update-ref", "--no-deref", reference, source.protected)


def _has(folder: Path, commit: str) -> bool:
    command = ["git", "-C", str(folder), "cat-file", "-e", f"{commit}^{{commit}}"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _git(source: Source, folder: Path, *arguments: str) -> None:
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            env=environment,
            stdin=subprocess.DEVNULL,
            timeout=SECONDS_FOR_GIT,
            check=False,
        )
    except FileNotFoundError:
        said = "git is not installed"
    except subprocess.TimeoutExpired:
        said = f"'git {arguments[0]}' did not end within {SECONDS_FOR_GIT} s"
    else:
        if done.returncode == 0:
            return
        said = done.stderr.strip().partition("\n")[0]
    raise DustError(
        f"cannot get commit {source.commit[:10]}: {said}",
        where=source.url,
        fix="push the commit there, and let the workers read it without a password",
    )


def _configure(project: Path, source: Source, base: Path) -> None:
    """Give DVC the remote as the starter sees it, and the machine's cache."""
    from dvc.config import Config

    if "://" not in source.remote_url and not Path(source.remote_url).is_dir():
        raise DustError(
            f"DVC's remote {source.remote} is a folder, and it is not here",
            where=source.remote_url,
            fix="make a remote that all machines reach the default: 'dvc remote add --default'",
        )
    with Config(dvc_dir=str(project / ".dvc")).edit("local") as local:
        local.setdefault("remote", {}).setdefault(source.remote, {})["url"] = source.remote_url
        local.setdefault("core", {})["remote"] = source.remote
        local.setdefault("cache", {})["dir"] = source.cache or str(base / "cache")
