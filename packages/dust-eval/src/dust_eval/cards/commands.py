"""The verb `dust cards`."""

from pathlib import Path
from typing import Annotated

import typer

from dust_core.declared.options import ProfileOption, SpecsOption
from dust_core.declared.project import ARTIFACTS, SPECS
from dust_core.declared.records.commands import ArtifactsOption
from dust_core.errors import DustError


def cards(
    profile: ProfileOption = "small",
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the cards.")] = Path(
        "docs/cards"
    ),
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if out of date.")
    ] = False,
    specs: SpecsOption = SPECS,
    artifacts: ArtifactsOption = ARTIFACTS,
) -> None:
    """Write a model card of each network of the main line, from the records.

    The figures are those of the main line's last task, which measures all networks in turn.
    """
    from dust_core.declared.specs import load_specs
    from dust_core.files import atomic_write_text
    from dust_eval.cards.card import card_texts
    from dust_eval.cards.networks import main_line

    texts = card_texts(main_line(load_specs(specs), profile, artifacts))
    if check:
        stale = sorted(
            name
            for name, text in texts.items()
            if not (out / name).is_file() or (out / name).read_text(encoding="utf-8") != text
        )
        if stale:
            raise DustError(
                f"out of date: {', '.join(stale)}",
                where=str(out),
                fix=f"run `dust cards --profile {profile}` and commit what it writes",
                exit_code=1,
            )
        return
    for name, text in texts.items():
        atomic_write_text(out / name, text)
    typer.echo(f"wrote {', '.join(texts)} to {out}")
