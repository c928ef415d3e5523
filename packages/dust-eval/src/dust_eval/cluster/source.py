"""What workers fetch: a commit without changes beside it, and DVC's remote."""

import subprocess
from collections.abc import Iterable
from pathlib import Path

from dust_core.declared.change.approval import protected_branch
from dust_core.declared.change.git import Repository
from dust_core.declared.records.environment import changed_paths, named_few
from dust_core.errors import DustError, first_line
from dust_eval.cluster.order import Source


def source_here(*, local: bool) -> Source:
    """The source of the project in the current folder.

    Args:
        local: whether the workers are on this machine, and clone this clone and use its cache.
            Otherwise they clone the git remote `origin`; a clone without one they read themselves.

    Raises:
        DustError: something is not committed, there is no commit, or DVC has no default remote.
    """
    repository = Repository.around(Path())
    name, url, cache = _remote()
    _require_committed(repository, url)
    try:
        protected = protected_branch(repository).commit
    except DustError:
        protected = None
    origin = "" if local else _origin(repository)
    return Source(
        url=origin or str(repository.root.resolve()),
        commit=repository.revision("HEAD").commit,
        protected=protected,
        subfolder=repository.prefix,
        remote=name,
        remote_url=url,
        cache=cache if local else None,
    )


def _require_committed(repository: Repository, remote: str) -> None:
    """Refuse changes that workers would not get; results in DVC's remote change no stage."""
    store = Path(remote)
    inside = (
        [store.relative_to(repository.root).as_posix()] if _is_inside(store, repository) else []
    )
    changed = changed_paths(Path(), without=inside)
    if changed:
        raise DustError(
            f"changes that are not committed: {named_few(changed)}",
            where=str(repository.root),
            fix="commit them: workers run a commit; 'git stash' puts them aside",
        )


def _is_inside(folder: Path, repository: Repository) -> bool:
    return folder.is_absolute() and folder.is_relative_to(repository.root)


def _remote() -> tuple[str, str, str]:
    """The name and the place of DVC's default remote, and the folder of its cache here."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo() as repo:
            name = repo.config["core"].get("remote")
            if not name:
                raise DustError(
                    "DVC has no default remote, through which workers get and give files",
                    where=".dvc/config",
                    fix="name one that all machines reach: 'dvc remote add --default NAME URL'",
                )
            remote = repo.config["remote"].get(name, {})
            url = str(remote.get("url", ""))
            if "://" not in url:
                url = str(Path(repo.dvc_dir, url).resolve())
            return str(name), url, str(repo.cache.local.path).removesuffix("/files/md5")
    except DvcException as error:
        raise DustError(
            f"DVC cannot read its settings: {first_line(error)}", where=".dvc", fix="correct them"
        ) from error


def _origin(repository: Repository) -> str:
    command: Iterable[str] = ("git", "-C", str(repository.root), "remote", "get-url", "origin")
    done = subprocess.run([*command], capture_output=True, text=True, check=False)
    url = done.stdout.strip() if done.returncode == 0 else ""
    if url and "://" not in url and ":" not in url.partition("/")[0]:
        return str((repository.root / url).resolve())  # a folder, which may be relative
    return url
