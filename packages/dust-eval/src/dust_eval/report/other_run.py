"""The run that a report compares with: a git revision, or a folder of results."""

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from dust_core.errors import DustError
from dust_eval.report.content import Content, gather

if TYPE_CHECKING:
    from dust_core.declared.specs import SpecSet


def gather_other(name: str, specs: "SpecSet", profile: str) -> Content:
    """Gather the other run of a comparison.

    A folder holds results, or a folder of results for each profile; these specs judge them. A
    revision has specs of its own, and DVC fetches the results that its lock lists.

    Args:
        name: a folder with results, else what git takes for a commit.

    Raises:
        DustError: it is neither, or has no result under the profile.
    """
    folder = Path(name)
    if folder.is_dir():
        content = gather(specs, profile, _results_in(folder, profile))
        if content.executed:
            return content
        if not _is_revision(name):
            raise _nothing(name, profile)
    content = _gather_revision(name, profile)  # a branch may have the name of a folder
    if not content.executed:
        raise _nothing(name, profile)
    return content


def _nothing(name: str, profile: str) -> DustError:
    return DustError(
        f"there is no result of the profile {profile} to compare with",
        where=name,
        fix="name a folder of results, a folder with a folder for each profile, or a revision "
        "whose dvc.lock has results that `dvc pull` can fetch",
    )


def _is_revision(name: str) -> bool:
    from dust_core.declared.change.git import Repository

    try:
        Repository.around(Path.cwd()).revision(name)
    except DustError:
        return False
    return True


def _results_in(folder: Path, profile: str) -> Path:
    """The folder of results: the folder itself, its folder of the profile, or its artifacts'."""
    inside = (folder / profile, folder / "artifacts" / profile)
    return next((place for place in inside if place.is_dir()), folder)


def _gather_revision(name: str, profile: str) -> Content:
    from dust_core.declared.change.git import Repository
    from dust_core.declared.project import ARTIFACTS
    from dust_eval.review.revision import Committed, fetch_all, lay_out, place_results, store_of

    repository = Repository.around(Path.cwd())
    try:
        revision = repository.revision(name)
    except DustError as error:
        raise DustError(
            f"'{name}' is no folder, and git knows no such commit",
            fix="name a folder of results, or a branch, a tag or a commit",
        ) from error
    side = Committed.at(repository, revision)
    side.specs.profile(profile)
    with tempfile.TemporaryDirectory(prefix="dust-report-") as temporary:
        home = Path(temporary)
        contents = fetch_all(
            store_of(repository, Path.cwd(), revision), [side], [profile], home / "contents"
        )
        project = home / "project"
        lay_out(repository, side, project)
        place_results(side, profile, contents, project)
        with contextlib.chdir(project):
            return gather(side.specs, profile, ARTIFACTS / profile)
