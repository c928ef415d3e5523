"""The text of a card."""

from importlib.resources import files

from dust_core.declared.records import Record, Result, Verdict
from dust_eval.cards.metadata import front_matter, licence
from dust_eval.cards.networks import MainLine, Network
from dust_eval.gates.judge import quantity_text
from dust_eval.gates.render import interval_text

_TRAINING_NOTES = ("epoch ", "trained on ")


def card_texts(line: MainLine) -> dict[str, str]:
    """The cards by file name; the same records and specs always give the same text.

    Raises:
        ModuleNotFoundError: jinja2 or huggingface-hub is not installed.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(  # of Markdown, in which nothing is escaped
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"verdict": _verdict, "of_training": _of_training}
    source = files("dust_eval.cards").joinpath("card.md").read_text(encoding="utf-8")
    template = environment.from_string(source)
    return {
        f"{network.file.partition('.')[0]}.md": template.render(
            front_matter=front_matter(network),
            licence=licence(network),
            network=network,
            line=line,
            rows=[_row(result, network) for result in line.file.results if result.record],
            task=network.made_by,
            kind=_kind(network),
        )
        for network in line.networks
    }


def _kind(network: Network) -> str:
    """What the network is, in a few words."""
    if network.record.bits_w is not None:
        return "student, in eight bits"
    return "teacher" if network.made_by.task.does == "train-teacher" else "student"


def _row(result: Result, network: Network) -> dict[str, str | bool]:
    """A row of the table of figures: every network that was measured in turn."""
    record = result.record
    assert record is not None
    precision = result.provenance.runtime.precision if result.provenance.runtime else ""
    files = [name for name in sorted(result.provenance.artifacts) if not name.endswith(".trt")]
    return {
        "this": result == network.result,
        "name": f"{', '.join(files)}, {precision}",
        **{name: _figure(record, name, form) for name, form in _FORMS.items()},
    }


_FORMS = {
    "t_pair_p50_ms": ".1f",
    "t_pair_p95_ms": ".1f",
    "size_MB": ".1f",
    "delta1": ".3f",
    "absrel": ".3f",
    "rmse": ".2f",
    "chamfer": ".2f",
}


def _figure(record: Record, name: str, form: str) -> str:
    value = getattr(record, name)
    return "" if value is None else f"{value:{form}}"


def _of_training(notes: str) -> str:
    """The remarks on the training, without those on the measurement that followed it."""
    return "; ".join(note for note in notes.split("; ") if note.startswith(_TRAINING_NOTES))


def _verdict(verdict: Verdict) -> str:
    """A verdict as a row of a table."""
    value = "" if verdict.value is None else quantity_text(verdict.value, verdict.unit)
    line = f"{verdict.metric} {verdict.op} {quantity_text(verdict.line, verdict.unit)}"
    against = verdict.baseline or ""
    interval = interval_text(verdict.interval)
    return f"| {line} | {against} | {value} | {interval} | {verdict.status} |"
