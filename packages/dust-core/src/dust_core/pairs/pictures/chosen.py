"""The pictures that a user names: files, patterns, and what is in folders."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from dust_core.errors import DustError
from dust_core.natural import natural_key
from dust_core.pairs.pictures.formats import HEAD, VIDEO, format_of, kind_of, names
from dust_core.pairs.pictures.video import is_video
from dust_core.visible import in_one_line

_DEPTH = re.compile(r"(?<![^\W_\d])depth(?![^\W_\d])", re.IGNORECASE)
_WIDE_GREYS = frozenset({"I", "F", "I;16", "I;16B", "I;16L"})


@dataclass(frozen=True)
class Chosen:
    """The pictures among files.

    Attributes:
        paths: the pictures, by name.
        left_out: the names of the others, each with the reason.
    """

    paths: list[Path]
    left_out: dict[str, str] = field(default_factory=dict)


def find_photographs(sources: Sequence[Path]) -> Chosen:
    """The pictures and videos that a user names: files, patterns, and what is directly in folders.

    They are told by their content; hidden files of a folder do not count. Of a folder or a pattern,
    depth maps beside photographs are left out: many recordings keep both in one folder.

    Raises:
        DustError: a name stands for nothing, or they are fewer than two pictures.
    """
    files: list[Path] = []
    named = [source for source in sources if source.is_file()]
    for source in sources:
        if source.is_dir():
            inside = (path for path in source.iterdir() if path.is_file())
            files += sorted((path for path in inside if path.name[0] != "."), key=natural_key)
        elif source in named:
            files.append(source)
        else:
            matched = sorted(_matching(source), key=natural_key)
            if not matched:
                raise DustError(
                    "no such folder, picture or video",
                    where=str(source),
                    fix="name a folder of photographs, pictures, a pattern, or a video",
                )
            files += matched
    _require_several(files)
    chosen = _choose(dict.fromkeys(files), named)
    if len(chosen.paths) < 2 and not any(map(is_video, chosen.paths)):
        raise too_few(len(chosen.paths), sources, chosen.left_out)
    return chosen


def _require_several(files: Sequence[Path]) -> None:
    """Refuse one picture that is named several times, which is a slip of the keyboard."""
    if len(files) > 1 and len({path.resolve() for path in files}) == 1:
        raise DustError(
            f"the same picture, {len(files)} times; a scene needs two views of one place",
            where=str(files[0]),
            fix="name another picture beside it",
        )


def _matching(pattern: Path) -> list[Path]:
    """The files whose path matches a pattern that no shell has replaced."""
    start = Path(pattern.anchor or ".")
    try:
        matched = list(start.glob(str(pattern.relative_to(pattern.anchor))))
    except (ValueError, NotImplementedError):  # no pattern that Python knows
        return []
    return [path for path in matched if path.is_file()]


def _choose(files: Iterable[Path], named: Collection[Path]) -> Chosen:
    """The pictures among files, told by their content; what is `named` may be a depth map."""
    paths, left_out = [], {}
    for path in files:
        try:
            with path.open("rb") as stream:
                head = stream.read(HEAD)
        except OSError as error:
            left_out[path.name] = f"cannot be read: {error.strerror}"
            continue
        if format_of(head) is None and kind_of(head) != VIDEO:
            left_out[path.name] = kind_of(head)
        elif path not in named and _is_depth_map(path):
            left_out[path.name] = "a depth map by its name and its 16-bit greys"
        else:
            paths.append(path)
    return Chosen(paths, left_out)


def too_few(count: int, sources: Sequence[Path], left_out: dict[str, str]) -> DustError:
    """The error that a scene needs more pictures than there are."""
    reasons = "; ".join(left_out_lines(left_out))
    return DustError(
        f"{count} photograph{'s' * (count != 1)}, at least 2 are needed"
        + (f" ({reasons})" if reasons else ""),
        where=", ".join(map(str, sources)),
        fix=f"give pictures of one place ({names()})",
    )


def left_out_lines(left_out: Mapping[str, str]) -> list[str]:
    """What was left out, in a line for each reason, with three names at the most."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in left_out.items():
        by_reason.setdefault(reason, []).append(name)
    return [f"left out, {reason}: {some_names(named)}" for reason, named in by_reason.items()]


def _is_depth_map(path: Path) -> bool:
    """Whether a picture's name has the word depth, and it has one channel of more than 8 bits."""
    if _DEPTH.search(path.stem) is None:
        return False
    try:
        with Image.open(path) as picture:
            return picture.mode in _WIDE_GREYS
    except (OSError, ValueError, Image.DecompressionBombError):
        return False  # reading it says what is wrong


def some_names(items: Sequence[str]) -> str:
    """Three names at the most, and how many more there are."""
    more = f" and {len(items) - 3} more" if len(items) > 3 else ""
    return ", ".join(map(in_one_line, items[:3])) + more
