"""`runtime.float_precision: auto`: what is faster on this device, measured once and recorded."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dust_core.declared.records import read_result_file
from dust_core.declared.specs import ResolvedTask
from dust_eval.measure import floats
from dust_eval.measure.floats import floats_of
from dust_eval.measure.latency import TurnSamples
from dust_eval.runtimes import PairModel, load_model

Timings = list[dict[str, float]]


@pytest.fixture
def timed(
    task: ResolvedTask, monkeypatch: pytest.MonkeyPatch
) -> Callable[[dict[str, float]], Timings]:
    """Replaces the clock by given medians, on a processor with bf16; gives what was timed."""
    for answer in answers(task):
        answer.unlink()

    def by(medians: dict[str, float]) -> Timings:
        taken: Timings = []

        def load(runtime: str, path: Path, options: Any) -> PairModel:
            model = load_model(runtime, path, options)
            model.precision = options.precision
            return model

        def measure(models: Sequence[PairModel], *_: object) -> list[TurnSamples]:
            taken.append({model.precision: medians[model.precision] for model in models})
            return [TurnSamples((ms,) * 3, settled=True) for ms in taken[-1].values()]

        monkeypatch.setattr(floats, "load_model", load)
        monkeypatch.setattr(floats, "measure_latency", measure)
        return taken

    return by


def answers(task: ResolvedTask) -> list[Path]:
    return sorted(Path("artifacts", task.profile_name, ".work", "floats").glob("*"))


def under(task: ResolvedTask, **runtime: object) -> ResolvedTask:
    changed = task.profile.runtime.model_copy(update=runtime)
    profile = task.profile.model_copy(update={"runtime": changed})
    return replace(task, profile=profile)


@pytest.mark.parametrize(("bf16", "faster"), [(20.0, "bf16"), (60.0, "fp32")])
def test_the_faster_precision_is_taken_and_bf16_is_measured_beside_it(
    task: ResolvedTask, timed: Callable[..., Timings], bf16: float, faster: str
) -> None:
    timed({"fp32": 40.0, "bf16": bf16})
    found = floats_of(task)
    assert (found.precision, found.reduced) == (faster, "bf16")
    assert found.p50_ms == {"fp32": 40.0, "bf16": bf16}


def test_a_device_is_asked_once(task: ResolvedTask, timed: Callable[..., Timings]) -> None:
    taken = timed({"fp32": 40.0, "bf16": 20.0})
    first = floats_of(task)
    assert floats_of(task) == first
    assert len(taken) == 1
    assert floats_of(under(task, name="openvino")) == first  # the same runtime


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"bf16": 40.0}', '{"fp32": 1, "bf16": -1}', '{"fp32": 1, "bf16": "x"}']
)
def test_a_damaged_answer_is_taken_anew(
    task: ResolvedTask, timed: Callable[..., Timings], text: str
) -> None:
    taken = timed({"fp32": 40.0, "bf16": 20.0})
    floats_of(task)
    (answer,) = answers(task)
    answer.write_text(text)
    assert floats_of(task).precision == "bf16"
    assert len(taken) == 2
    assert json.loads(answer.read_text()) == {"fp32": 40.0, "bf16": 20.0}


def test_another_number_of_threads_is_another_question(
    task: ResolvedTask, timed: Callable[..., Timings]
) -> None:
    taken = timed({"fp32": 40.0, "bf16": 20.0})
    floats_of(task)
    profile = task.profile.model_copy(update={"threads": task.profile.threads + 1})
    floats_of(replace(task, profile=profile))
    assert len(taken) == 2


def test_a_declared_precision_is_not_measured(
    task: ResolvedTask, timed: Callable[..., Timings]
) -> None:
    taken = timed({})
    found = floats_of(under(task, float_precision="bf16"))
    assert (found.precision, found.reduced, dict(found.p50_ms)) == ("bf16", "bf16", {})
    assert not taken


@pytest.mark.parametrize(("runtime", "floats"), [("onnxruntime", "fp32"), ("tensorrt", "fp16")])
def test_a_runtime_without_a_choice_is_not_measured(
    task: ResolvedTask, timed: Callable[..., Timings], runtime: str, floats: str
) -> None:
    taken = timed({})
    found = floats_of(under(task, name=runtime))
    assert (found.precision, found.reduced) == (floats, floats)
    assert not taken


def test_the_record_holds_what_was_measured(evaluated: Path) -> None:
    for result in read_result_file(evaluated / "artifacts" / "ci" / "teacher_eval.json").results:
        held = {
            name: value
            for name, value in result.provenance.quantities.items()
            if name.startswith("auto_")
        }
        assert held.keys() <= {"auto_fp32_ms", "auto_bf16_ms"}
        assert held["auto_fp32_ms"] > 0
