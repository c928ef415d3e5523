"""Messages that several verbs share."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from dust_core.errors import DustError

if TYPE_CHECKING:
    from dust_core.pairs.pictures.photographs import Chosen, Photograph
    from dust_eval.arrays import Floats


def surer_half(usual: float) -> str:
    """The message that few pixels reach the usual confidence, so the cloud has the better half."""
    return (
        f"few pixels reach confidence {usual:g}, so the cloud holds the more confident half; "
        "do not trust its shape"
    )


def nothing_sure(least: float, confidences: "Floats", where: str = "") -> DustError:
    """The error that no pixel reaches the least confidence, so there is no cloud."""
    return DustError(
        f"no pixel reaches confidence {least:g}; the largest is {confidences.max():.7g}",
        where=where,
        fix="lower --min-confidence, or take photographs that overlap more",
        exit_code=1,
    )


def say_what_was_read(photographs: "Sequence[Photograph]", chosen: "Chosen | None" = None) -> None:
    """Print what was left out of a folder, and what was assumed in reading the rest."""
    from dust_core.pairs.pictures.photographs import left_out_lines, remark_lines

    for line in left_out_lines(chosen.left_out) if chosen else []:
        typer.echo(line)
    for line in remark_lines(photographs):
        typer.echo(line)
