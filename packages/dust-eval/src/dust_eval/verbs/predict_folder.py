"""What an earlier call of `dust predict` left in its folder."""

from pathlib import Path

from dust_core.bounded import read_json_bounded
from dust_core.errors import DustError

LIST = "pairs.json"
_LIST_BYTES = 16_000_000
_FACTS = "prediction.json"
_FILES = (
    "cloud.ply",
    "cloud.glb",
    "depth_A.png",
    "depth_B.png",
    "confidence_A.png",
    "confidence_B.png",
    "prediction.npz",
    "index.html",
    _FACTS,
)


def remove_earlier(out: Path) -> int:
    """Remove what earlier calls of `dust predict` wrote into a folder; how many pairs that was.

    Files of anybody else stay, in the folders of pairs too.

    Raises:
        DustError: a file cannot be removed.
    """
    try:
        listed = _listed(out)
        folders = [folder for folder in (out, *listed) if (folder / _FACTS).is_file()]
        for folder in folders:
            for name in _FILES:
                (folder / name).unlink(missing_ok=True)
            if folder != out and not any(folder.iterdir()):
                folder.rmdir()
        if listed:
            (out / LIST).unlink(missing_ok=True)
    except OSError as error:
        raise DustError(
            f"an earlier prediction cannot be removed: {error.strerror}",
            where=str(out),
            fix="name another --out",
        ) from error
    return len(folders)


def _listed(out: Path) -> list[Path]:
    """The folders of pairs that an earlier call listed; none where the list is somebody else's."""
    try:
        pairs = read_json_bounded(out / LIST, _LIST_BYTES)["pairs"]
        names = [str(pair["folder"]) for pair in pairs]
    except (OSError, ValueError, LookupError, TypeError):
        return []
    return [out / name for name in names if name not in {"", ".."} and Path(name).name == name]
