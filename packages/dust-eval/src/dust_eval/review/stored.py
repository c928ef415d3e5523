"""Files by their content, fetched by DVC in a project of its own.

A pull request may change `.dvc/config`, dvc.yaml and dvc.lock. So DVC never reads those of the
pull request. It reads a temporary project with the remotes of the base's configuration and a list
of digests, and this module checks that the files have them.
"""

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from configparser import Error as ConfigError
from configparser import RawConfigParser
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from dust_core.errors import DustError

_MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://")
_PLACES = {"url", "dir"}  # options that may be paths relative to `.dvc`


@dataclass(frozen=True)
class Store:
    """Where contents come from.

    Attributes:
        root: the project whose `.dvc` the configuration's relative paths start from.
        config: the text of the base's `.dvc/config`.
    """

    root: Path
    config: str


@dataclass(frozen=True)
class Contents:
    """Files that were fetched, named by their MD5.

    Attributes:
        folder: where they are.
        said: DVC's last message where it failed; empty where it did not.
    """

    folder: Path
    said: str = ""

    def path(self, md5: str) -> Path | None:
        """The file or folder with that content; None where it cannot be had."""
        path = self.folder / md5
        if not _MD5.fullmatch(md5) or path.is_symlink() or not path.exists():
            return None
        return path if md5.endswith(".dir") or _md5_of(path) == md5 else None


def fetch(store: Store, digests: Iterable[str], folder: Path) -> Contents:
    """Fetch contents from the store's cache and default remote.

    Args:
        digests: MD5s as DVC's locks have them; that of a folder ends in `.dir`.
        folder: an empty folder, for DVC's project and the files.

    Raises:
        DustError: DVC is not installed, or the configuration cannot be read.
    """
    if find_spec("dvc") is None:
        raise DustError(
            "DVC is not installed, and it fetches results",
            fix="install the locked versions: pip install -r requirements.lock",
        )
    wanted = sorted({md5 for md5 in digests if _MD5.fullmatch(md5)})
    if not wanted:
        return Contents(folder)
    (folder / ".dvc").mkdir(parents=True)
    with (folder / ".dvc" / "config").open("w", encoding="utf-8") as stream:
        _config(store).write(stream)
    outs = (f"- md5: {md5}\n  hash: md5\n  path: {md5}\n" for md5 in wanted)
    (folder / "contents.dvc").write_text(f"outs:\n{''.join(outs)}", encoding="utf-8")
    done = subprocess.run(
        # -P: a folder called dvc in the current folder is not DVC.
        [sys.executable, "-P", "-m", "dvc", "pull", "--quiet", "--allow-missing"],
        cwd=folder,
        env={**os.environ, "DVC_NO_ANALYTICS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
    return Contents(folder, said[0].removeprefix("ERROR: ") if done.returncode and said else "")


def _config(store: Store) -> RawConfigParser:
    """The remotes and the cache of the configuration, its paths absolute; nothing else of it."""
    given, written = RawConfigParser(), RawConfigParser()
    home = store.root.absolute() / ".dvc"
    try:
        given.read_string(store.config, source=".dvc/config")
        if _is_own(home / "config.local", store.root):
            given.read(home / "config.local", encoding="utf-8")
    except ConfigError as error:
        raise DustError(
            f"not a configuration of DVC: {str(error).splitlines()[0]}",
            where=".dvc/config",
            fix="restore the file: `dvc remote add` writes it",
        ) from error
    written["core"] = {"no_scm": "true", "analytics": "false", "check_update": "false"}
    if given.has_option("core", "remote"):
        written["core"]["remote"] = given["core"]["remote"]
    written["cache"] = {"dir": str(home / "cache")}
    for name in given.sections():
        if name == "cache" or name.strip("'").startswith("remote "):
            values = given[name].items()
            written[name] = {
                key: _absolute(value, home) if key in _PLACES else value for key, value in values
            }
    return written


def _is_own(path: Path, root: Path) -> bool:
    """Whether a file is the user's and no part of a commit: credentials are in such a file."""
    if not path.is_file():
        return False
    tracked = ("git", "ls-files", "--error-unmatch", "--", str(path))
    return subprocess.run(tracked, cwd=root, capture_output=True, check=False).returncode != 0


def _absolute(value: str, home: Path) -> str:
    return value if _SCHEME.match(value) else os.path.abspath(home / value)  # noqa: PTH100


def _md5_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "md5").hexdigest()
