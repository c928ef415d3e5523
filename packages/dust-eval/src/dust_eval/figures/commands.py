"""The verb `dust explain`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dust_core.declared.options import SpecsOption
from dust_core.declared.project import SPECS
from dust_core.errors import DustError

if TYPE_CHECKING:
    from dust_eval.figures.figure import Figure
    from dust_eval.figures.known import Known

_SHOWN = 8


def explain(
    words: Annotated[
        list[str],
        typer.Argument(help="A figure, such as 16.4 ms or 0.648, or a document with figures."),
    ],
    specs: SpecsOption = SPECS,
) -> None:
    """Say which record, spec or stored output holds a figure; exit 1 if none does.

    A value is the figure if it rounds to it, whatever its sign. Of a document, every figure with a
    unit is looked for.
    """
    from dust_core.declared.change.text import counted
    from dust_core.declared.specs import load_specs
    from dust_eval.figures.figure import figures_in, parse_figure
    from dust_eval.figures.known import known_values

    figure = " ".join(words)
    known = tuple(known_values(load_specs(specs), specs.resolve().parent))
    document = Path(figure)
    if document.suffix != ".md":
        asked = parse_figure(figure)
        holders = held_by(asked, known)
        for holder in holders[:_SHOWN]:
            typer.echo(_line(holder))
        if len(holders) > _SHOWN:
            typer.echo(f"and {len(holders) - _SHOWN} more")
        if not holders:
            raise _unknown(figure)
        return
    text = _text(document)
    without = 0
    for quoted in figures_in(text):
        holders = held_by(quoted, known, text)
        without += not holders
        said = _line(holders[0]) if holders else "nothing that is here holds it"
        if len(holders) > 1:
            said += f"; {counted(len(holders) - 1, 'other value')} round to it too"
        typer.echo(f"{document}:{quoted.line}: {quoted.text}: {said}")
    if without:
        raise typer.Exit(1)


def held_by(figure: "Figure", known: "Sequence[Known]", text: str = "") -> "list[Known]":
    """The values that round to a figure, the likeliest first.

    What a benchmark printed comes first in a text that names the benchmark, and last in another.
    Then come values that are the figure itself, so that a line of 1 % is before 0.91 %, and of
    these a line. Of the others, what a line was judged by is first, then what was measured last.
    """
    from dust_eval.figures.figure import OUTPUTS

    def order(one: "Known") -> tuple[int, bool, bool, int, float, float]:
        rank = 1
        if Path(one.where).parent == OUTPUTS:
            named = any(word in text for word in one.again.split() if ".py" in word)
            rank = 0 if named else 2
        distance = figure.distance(one.value, one.unit) or 0.0
        decided = not one.again and ".gates." in one.what
        return rank, distance > 0, not decided, one.rank, -one.finished, distance

    return sorted((one for one in known if figure.is_rounded(one.value, one.unit)), key=order)


def _line(holder: "Known") -> str:
    value = f"{holder.value:.6g}" + (
        f" {holder.unit}" if holder.unit not in ("", "fraction") else ""
    )
    again = f"; again: {holder.again}" if holder.again else ""
    return f"{holder.what} = {value} in {holder.where}{again}"


def _text(document: Path) -> str:
    try:
        return document.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise DustError(
            f"the document cannot be read: {error}",
            where=str(document),
            fix="name a Markdown file, in UTF-8",
        ) from error


def _unknown(figure: str) -> DustError:
    return DustError(
        f"nothing that is here holds {figure}",
        fix="give it the digits and the unit of the document; 'dvc pull --quiet --allow-missing' "
        "fetches the results",
        exit_code=1,
    )
