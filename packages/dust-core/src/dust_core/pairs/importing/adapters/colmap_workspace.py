"""Which of the models in a workspace of COLMAP is taken: the mapper writes one a connected part."""

from pathlib import Path

from dust_core.errors import DustError
from dust_core.natural import natural_key
from dust_core.pairs.importing.adapters.colmap_files import is_model
from dust_core.pairs.importing.adapters.colmap_model import count_images


def choose_model(workspace: Path) -> tuple[Path, list[str]]:
    """The folder of the model that is used, and what is said of the others.

    `sparse` itself counts first, then the largest of the models in it, then the workspace.

    Raises:
        DustError: there is no model.
    """
    sparse = workspace / "sparse"
    below = sparse.iterdir() if sparse.is_dir() else ()
    parts = sorted((path for path in below if path.is_dir() and is_model(path)), key=natural_key)
    sizes = {path: count_images(path) for path in parts}
    parts.sort(key=lambda path: -sizes[path])
    models = [path for path in (sparse, *parts, workspace) if is_model(path)]
    if not models:
        raise DustError(
            "there is no COLMAP model: sparse/cameras.bin or .txt",
            where=str(workspace),
            fix="name the workspace that `colmap image_undistorter` wrote",
        )
    chosen, *others = models
    named = [
        f"{path.relative_to(workspace).as_posix()} ({sizes.get(path) or count_images(path)} images)"
        for path in models
    ]
    if not others:
        return chosen, []
    return chosen, [f"the model {named[0]} is taken, left out: {', '.join(named[1:])}"]
