"""Files of a git revision, read through git's plumbing without touching the working tree."""

import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dust_core.errors import DustError

MAX_FILES = 500
MAX_BYTES = 4_000_000
TIMEOUT_S = 60

_COMMIT = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_REGULAR = ("100644", "100755")


@dataclass(frozen=True, slots=True)
class Revision:
    """A commit, and the name that the user gave for it."""

    name: str
    commit: str

    def __str__(self) -> str:
        short = self.commit[:10]
        return short if self.commit.startswith(self.name) else f"{self.name} ({short})"


@dataclass(frozen=True, slots=True)
class Repository:
    """The git repository around a folder.

    Attributes:
        root: the top of its working tree.
        prefix: the folder as git names it, from `root`: `""` or a path that ends in `/`.
    """

    root: Path
    prefix: str

    @classmethod
    def around(cls, folder: Path) -> "Repository":
        """The repository that contains `folder`.

        Raises:
            DustError: git is not installed, or the folder is in no repository.
        """
        if not folder.is_dir():
            raise DustError("there is no such folder", where=str(folder), fix="check the path")
        done = _git(folder, "rev-parse", "--show-toplevel", "--show-prefix")
        if done.returncode:
            raise DustError(
                f"not in a git repository ({_first_line(done.stderr)})",
                where=str(folder),
                fix="run this in a clone of the project; without one there is nothing to compare",
            )
        root, prefix, *_ = done.stdout.decode("utf-8", "surrogateescape").split("\n")
        return cls(Path(root), prefix)

    def revision(self, name: str) -> Revision:
        """The commit that `name` refers to.

        Raises:
            DustError: there is no such commit; in a shallow clone the message says how to fetch it.
        """
        done = self._run(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"
        )
        commit = done.stdout.decode("ascii", "replace").strip()
        if done.returncode or not _COMMIT.fullmatch(commit):  # git turns ^main to ^ and a commit
            raise DustError(
                f"git knows no commit '{name}'",
                where=str(self.root),
                fix=self._deepen(name)
                or "name a branch, a tag or a commit; 'git fetch' fetches those of the remote",
            )
        return Revision(name, commit)

    def has(self, path: str) -> bool:
        """Whether git tracks a file, from `prefix`, or a file in a folder."""
        return bool(self._checked("ls-files", "-z", "--", path))

    def merge_base(self, base: Revision, head: Revision) -> Revision:
        """The commit where `head` branched off `base`: what a pull request is compared with.

        Raises:
            DustError: the two have no common history, or a shallow clone lacks it.
        """
        done = self._run("merge-base", base.commit, head.commit)
        if done.returncode:
            raise DustError(
                f"{base} and {head} have no common history",
                where=str(self.root),
                fix=self._deepen(base.name) or "compare revisions of one project",
            )
        return Revision(base.name, done.stdout.decode("ascii").strip())

    def files(self, revision: Revision, *folders_or_files: str) -> dict[str, bytes]:
        """The regular files at or below paths of a revision, by path from `prefix`.

        Paths that the revision lacks are skipped.

        Raises:
            DustError: a file is a link or larger than 4 MB, or there are more than 500.
        """
        listed = self._checked(
            "ls-tree", "-r", "-z", "-l", "--full-tree", revision.commit, "--",
            *(self.prefix + path for path in folders_or_files),
        )  # fmt: skip
        entries = [line for line in listed.split(b"\0") if line]
        if len(entries) > MAX_FILES:
            raise DustError(
                f"{len(entries)} files, more than the limit of {MAX_FILES}",
                where=f"{revision}: {', '.join(folders_or_files)}",
                fix="keep data out of the folder of the specs",
            )
        blobs = dict(self._entry(revision, entry) for entry in entries)
        return dict(zip(blobs, self._contents(blobs.values()), strict=True))

    def _contents(self, blobs: Iterable[str]) -> Iterator[bytes]:
        """The contents of blobs, in order, read by one process."""
        answer = self._checked("cat-file", "--batch", asked="".join(f"{blob}\n" for blob in blobs))
        start = 0
        while start < len(answer):
            begin = answer.index(b"\n", start) + 1  # after a line of id, type and size
            end = begin + int(answer[start:begin].split()[-1])
            yield answer[begin:end]
            start = end + 1  # each content ends with a newline of its own

    def authors(self, base: Revision, head: Revision, *paths: str) -> list[str]:
        """Everybody who wrote, committed or co-wrote what touches paths since `base`, as
        `name<TAB>email`.
        """
        form = "%an%x09%ae%n%cn%x09%ce%n%(trailers:key=Co-authored-by,valueonly)"
        log = self._checked(
            "log", "--full-history", f"--format={form}", f"{base.commit}..{head.commit}", "--",
            *(self.prefix + path for path in paths),
        )  # fmt: skip
        return [_person(line) for line in log.decode("utf-8", "replace").splitlines() if line]

    def user(self) -> list[str]:
        """Who would write the next commit, as `authors` has it; empty where git knows nobody."""
        ident = self._run("var", "GIT_AUTHOR_IDENT")
        text = ident.stdout.decode("utf-8", "replace").rpartition(">")[0]
        return [] if ident.returncode else [_person(f"{text}>")]

    def changed_files(self, base: Revision, head: Revision | None) -> list[tuple[str, str]]:
        """The status and path, from `prefix`, of each file that differs between two commits.

        A renamed file is a deleted and an added one. Files outside of `prefix` are left out.

        Args:
            base: the earlier commit.
            head: the later commit; None for the working tree, with untracked files as added.
        """
        sides = [base.commit, *([head.commit] if head else [])]
        listed = self._checked(
            "diff", "--name-status", "--no-renames", "--ignore-submodules=none", "-z", *sides, "--"
        )
        words = listed.decode("utf-8", "surrogateescape").split("\0")
        changed = list(zip(words[:-1:2], words[1::2], strict=True))
        if head is None:
            untracked = self._checked(
                "ls-files", "--others", "--exclude-standard", "--full-name", "-z"
            )
            names = untracked.decode("utf-8", "surrogateescape").split("\0")
            changed += [("A", name) for name in names if name]
        return [
            (status, path.removeprefix(self.prefix))
            for status, path in changed
            if path.startswith(self.prefix)
        ]

    def _entry(self, revision: Revision, entry: bytes) -> tuple[str, str]:
        """The path and blob of one line of `ls-tree -l`."""
        about, _, name = entry.partition(b"\t")
        mode, _, blob, size = about.decode("ascii").split()
        path = name.decode("utf-8", "backslashreplace").removeprefix(self.prefix)
        place = f"{revision}: {path}"
        if mode not in _REGULAR:
            raise DustError(
                "not a regular file but a link or a submodule",
                where=place,
                fix="commit the file itself: a revision does not hold the target of a link",
            )
        if int(size) > MAX_BYTES:
            raise DustError(
                f"{int(size):,} bytes, and a spec or a lock has at most {MAX_BYTES:,}",
                where=place,
                fix="keep data out of the folder of the specs",
            )
        return path, blob

    def _deepen(self, name: str) -> str:
        shallow = self._run("rev-parse", "--is-shallow-repository").stdout.strip() == b"true"
        return (
            f"this clone is shallow and may only lack '{name}': 'git fetch --unshallow', or "
            "'fetch-depth: 0' for actions/checkout"
            if shallow
            else ""
        )

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        return _git(self.root, *arguments)

    def _checked(self, *arguments: str, asked: str = "") -> bytes:
        done = _git(self.root, *arguments, asked=asked)
        if done.returncode:
            raise DustError(
                f"'git {arguments[0]}' failed: {_first_line(done.stderr)}",
                where=str(self.root),
                fix="a partial clone or a damaged one: try 'git fsck', or clone again",
            )
        return done.stdout


def _person(text: str) -> str:
    """`Name <email>` as `Name<TAB>email`; other text as it is."""
    name, mark, email = text.strip().partition("<")
    return f"{name.strip()}\t{email.rstrip('>')}" if mark else text


def _git(folder: Path, *arguments: str, asked: str = "") -> subprocess.CompletedProcess[bytes]:
    # Paths are literal, and git writes nothing to the repository, not even its index.
    environment = {
        **os.environ, "GIT_LITERAL_PATHSPECS": "1", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C",
    }  # fmt: skip
    try:
        return subprocess.run(
            ["git", "--no-pager", *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            input=asked.encode("ascii"),
            timeout=TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError as error:
        raise DustError("git is not installed", fix="install git 2.30 or later") from error
    except subprocess.TimeoutExpired as error:
        raise DustError(
            f"'git {arguments[0]}' did not end within {TIMEOUT_S} s",
            where=str(folder),
            fix="see whether another git process holds the repository",
        ) from error


def _first_line(stderr: bytes) -> str:
    text = stderr.decode("utf-8", "replace").strip()
    return text.partition("\n")[0].removeprefix("fatal: ") or "it said nothing"
