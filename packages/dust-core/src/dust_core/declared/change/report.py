"""Differences and plans as JSON, plans as text and Markdown."""

import dataclasses
import json
from collections import Counter
from datetime import date
from typing import Any, get_args

from pydantic import BaseModel

from dust_core.declared.change.diff import Difference
from dust_core.declared.change.plan import Plan, State, Step
from dust_core.declared.change.text import code, codes, counted, counted_hours, hours, table
from dust_core.declared.change.values import ABSENT

_ASSUMED = "DVC also checks the data and the device when it runs; `dust repro` runs it."


def as_json(answer: Difference | Plan) -> str:
    """A difference or a plan as JSON, two spaces deep; an absent value is an empty object."""
    content = {name: _json(getattr(answer, name)) for name in _fields(answer)}
    return json.dumps(content, indent=2) + "\n"


def plan_text(plan: Plan) -> str:
    """A plan as aligned text, one line a task."""
    width = max((len(step.task) for step in plan.steps), default=0)
    lines = []
    for step in plan.steps:
        expected = f"  {hours(step.gpu_hours):>6} GPU h" if plan.on_gpu else ""
        lines.append(f"{step.task:<{width}}  {step.state:<12}{expected}  {_why(step)}".rstrip())
    return "\n".join([*lines, "", _total(plan), _ASSUMED]) + "\n"


def plan_markdown(plan: Plan) -> str:
    """A plan as a Markdown table."""
    columns = {
        "task": [code(step.task) for step in plan.steps],
        "does": [code(step.does) for step in plan.steps],
        "after": [codes(step.after) or "—" for step in plan.steps],
        "state": [f"**{step.state}**" for step in plan.steps],
        "because": [_why(step) or "—" for step in plan.steps],
    }
    if plan.on_gpu:
        columns["GPU hours"] = [hours(step.gpu_hours) for step in plan.steps]
    header, rows = list(columns), zip(*columns.values(), strict=True)
    parts = (f"## Plan under {code(plan.profile)}", _total(plan), table(header, rows), _ASSUMED)
    return "\n\n".join(parts) + "\n"


def _why(step: Step) -> str:
    return "; ".join(step.reasons)


def _total(plan: Plan) -> str:
    counts = Counter(step.state for step in plan.steps)
    states = [f"{counts[state]} {state}" for state in get_args(State) if counts[state]]
    total = f"{counted(len(plan.steps), 'task')}: {', '.join(states)}"
    if plan.on_gpu:
        total += f"; {counted_hours(plan.gpu_hours)} to run, by the specs' estimates"
    return f"{total}."


def _fields(value: Any) -> list[str]:
    """The fields of a dataclass; at the top level also the properties that sum it up."""
    answers = {
        Difference: ["refusals", "means_something", "hours_added", "hours_to_run"],
        Plan: ["gpu_hours"],
    }
    return [field.name for field in dataclasses.fields(value)] + answers.get(type(value), [])


def _json(value: Any) -> Any:
    if value is ABSENT:
        return {}
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if dataclasses.is_dataclass(value):
        return {name: _json(getattr(value, name)) for name in _fields(value)}
    if isinstance(value, dict):
        return {str(key): _json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_json(inner) for inner in value]
    return value.isoformat() if isinstance(value, date) else value
