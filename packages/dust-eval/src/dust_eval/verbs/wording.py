"""Messages that several verbs share."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import typer

from dust_core.errors import DustError
from dust_core.visible import in_one_line

if TYPE_CHECKING:
    from dust_core.pairs.pictures.photographs import Photograph
    from dust_eval.arrays import Floats


def nothing_sure(least: float, confidences: "Floats", where: str = "") -> DustError:
    """The error that no pixel reaches the least confidence, so there is no cloud."""
    return DustError(
        f"no pixel reaches confidence {least:g}; the largest is {confidences.max():.7g}",
        where=where,
        fix="lower --min-confidence, or take photographs that overlap more",
        exit_code=1,
    )


def say_what_was_read(
    photographs: "Sequence[Photograph]", left_out: "Mapping[str, str] | None" = None
) -> None:
    """Print what was left out, and what was assumed in reading the rest."""
    from dust_core.pairs.pictures.chosen import left_out_lines
    from dust_core.pairs.pictures.photographs import remark_lines

    for line in [
        *left_out_lines(left_out or {}),
        *remark_lines(photographs),
        *_same_lines(photographs),
    ]:
        typer.echo(line)


def _same_lines(photographs: "Sequence[Photograph]") -> list[str]:
    """Which photographs are one and the same picture, in a line for each picture."""
    names_by_content: dict[bytes, list[str]] = {}
    for photograph in photographs:
        content = hashlib.sha256(photograph.square.tobytes()).digest()
        names_by_content.setdefault(content, []).append(in_one_line(photograph.name))
    return [
        f"{', '.join(names)}: the same picture, which shows the place from one side only"
        for names in names_by_content.values()
        if len(names) > 1
    ]


def spent(seconds: float) -> str:
    """The time of a command, and the largest memory of the process so far."""
    import resource

    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    return f"{seconds:.1f} s, at most {megabytes:,.0f} MB of memory"
