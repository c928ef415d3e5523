"""Whether DVC's remote answers, asked once before DVC fetches.

DVC itself reports an unexpected error, and names neither the remote nor what to correct.
"""

from importlib import import_module
from typing import Any

from dust_core.errors import DustError, first_line

EXIT_SAID = 2
"""The exit code of `dvc_command` after such a message; DVC's own are above 250."""

_LOCAL = "local"
_WITH_BUCKETS = {"s3", "gs", "azure", "oss"}
"""Where the first word of a path is a bucket or container, which DVC does not make."""


def require_remote() -> None:
    """Ask the default remote of the working folder's DVC project for its folder.

    A remote in the file system is not asked: DVC's own message about it comes at once.

    Raises:
        DustError: the remote cannot be reached, refuses the credentials, has no such bucket, or
            needs a package.
    """
    settings, filesystems = import_module("dvc.config"), import_module("dvc.fs")
    config = settings.Config.from_cwd()
    name = config["core"].get("remote")
    if name is None:
        return
    try:
        kind, options, path = filesystems.get_cloud_fs(config, name=name)
    except settings.ConfigError:  # DVC says so itself
        return
    if kind.protocol == _LOCAL:
        return
    where = config["remote"][name]["url"]
    try:
        files = kind(**options)
        # DVC's own first question to a remote; that there is no such folder is an answer.
        missing = not files.exists(path) and _lacks_bucket(files, path)
    except PermissionError as error:
        raise DustError(
            f"the DVC remote '{name}' refuses these credentials: {first_line(error)}",
            where=where,
            fix=f"write the right ones with `dvc remote modify --local {name} ...` "
            "(docs/machines.md, Remotes)",
        ) from error
    except Exception as error:  # the libraries of the remotes have no error in common
        raise DustError(
            f"the DVC remote '{name}' cannot be used: {first_line(error)}",
            where=where,
            fix=f"check the network, the server and `dvc remote modify {name} ...` "
            "(docs/machines.md, Remotes); `dvc repro` alone works without the remote",
        ) from error
    if missing:
        raise DustError(
            f"the DVC remote '{name}' has no bucket '{_bucket(path)}'",
            where=where,
            fix=f"make it, or correct the address: `dvc remote modify {name} url ...`",
        )


def _lacks_bucket(files: Any, path: str) -> bool:
    """Whether a mistyped bucket looks like a remote that holds nothing yet."""
    if files.protocol not in _WITH_BUCKETS:
        return False
    try:
        return not files.exists(_bucket(path))
    except PermissionError:  # the credentials reach the folder alone
        return False


def _bucket(path: str) -> str:
    return path.partition("/")[0]
