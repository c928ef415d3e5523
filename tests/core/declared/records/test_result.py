import pytest
import sample_results as sample
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dust_core.declared.records import Provenance, Result, mean, percentile

samples = st.lists(st.floats(1e-3, 1e6), min_size=1, max_size=60)


def said_of(error: pytest.ExceptionInfo[ValidationError]) -> str:
    return error.value.errors()[0]["msg"].removeprefix("Value error, ")


def test_quality_must_be_the_mean_of_the_pairs() -> None:
    with pytest.raises(ValidationError) as error:
        sample.result(figures={"delta1": 0.99})
    assert said_of(error) == "delta1 is 0.99, but the mean of per_pair is 0.95"


def test_quality_without_pairs_is_refused() -> None:
    pairs = sample.per_pair()
    without = {metric: values for metric, values in pairs.items() if metric != "rmse"}
    with pytest.raises(ValidationError) as error:
        sample.result(quality=without, figures={"rmse": 0.31})
    assert said_of(error) == "rmse is 0.31 and the mean of per_pair is None: give both or neither"


@pytest.mark.parametrize(
    ("field", "given", "percent", "measured"),
    [("t_pair_p50_ms", 150.0, 50, 200), ("t_pair_p95_ms", 250.0, 95, 210)],
)
def test_latencies_must_be_percentiles_of_their_samples(
    field: str, given: float, percent: int, measured: int
) -> None:
    with pytest.raises(ValidationError) as error:
        sample.result(figures={field: given})
    assert said_of(error) == (
        f"{field} is {given:g}, but percentile {percent} of the latency samples is {measured}"
    )


def test_a_measured_null_owes_a_reason() -> None:
    with pytest.raises(ValidationError) as error:
        sample.result(figures={"vram_GB": None}, reasons={})
    assert said_of(error) == "vram_GB is null and provenance.reasons does not say why"
    assert sample.result(figures={"vram_GB": None}).record.vram_GB is None


def test_a_reason_for_a_value_that_is_there_is_refused() -> None:
    with pytest.raises(ValidationError) as error:
        sample.result(reasons={"rmse": "no device"})
    assert said_of(error) == "reasons says why rmse is null (no device), but it is not"


def test_a_task_without_an_experiment_has_no_record() -> None:
    provenance = sample.result().provenance
    assert Result(record=None, provenance=provenance).exp_id is None
    with pytest.raises(ValidationError, match="a baseline needs a record"):
        Result(record=None, provenance=provenance.model_copy(update={"role": "baseline"}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"finished": sample.MOMENT.replace(year=2025)}, "finished is before started"),
        (
            {"per_pair": {"psnr": (1.0,)}},
            "per_pair has 'psnr'; quality metrics are chamfer, absrel, rmse, delta1",
        ),
        (
            {"per_pair": {"rmse": (1.0,), "delta1": (0.5, 0.6)}},
            "per_pair lists differ in length: rmse 1, delta1 2",
        ),
        ({"reasons": {"speed": "?"}}, "reasons has 'speed', which is not a field of a record"),
        ({"baselines": {}}, "latency names 'P0-2', absent from baselines"),
    ],
)
def test_provenance_says_what_does_not_fit(change: dict, message: str) -> None:
    fields = dict(sample.result(latency=sample.turns(100.0, 200.0)).provenance)
    with pytest.raises(ValidationError) as error:
        Provenance(**fields | change)
    assert said_of(error) == message


@pytest.mark.parametrize("name", ["/etc/passwd", "../x.pth", "a/../b", "", "a\\b", ".hidden"])
def test_artifacts_stay_in_their_folder(name: str) -> None:
    with pytest.raises(ValidationError):
        sample.result(artifacts={name: "5" * 64})


@pytest.mark.parametrize("digest", ["", "5" * 63, "G" * 64, "5" * 65])
def test_digests_are_sha256(digest: str) -> None:
    with pytest.raises(ValidationError):
        sample.result(spec_digest=digest)


def test_turns_come_in_pairs() -> None:
    latency = dict(sample.turns(100.0, 200.0, repeats=50))
    with pytest.raises(ValidationError, match="50 candidate samples and 1 baseline samples"):
        type(sample.turns(1.0))(**latency | {"baseline_ms": (1.0,)})
    with pytest.raises(ValidationError, match="given together or are both null"):
        type(sample.turns(1.0))(**latency | {"baseline": None})


def test_a_file_holds_one_task_and_a_candidate() -> None:
    with pytest.raises(ValidationError, match=r"results\[1\] is of task 'K-2', not 'K-1'"):
        sample.result_file(sample.result(), sample.result("K_T5B05_run1", task="K-2"))
    with pytest.raises(ValidationError, match="K_T3B05_run1 has two results"):
        sample.result_file(sample.result(), sample.result())
    with pytest.raises(ValidationError, match="no result has the role candidate"):
        sample.result_file(sample.result(role="reference"))


@settings(deadline=None, max_examples=40)
@given(samples)
def test_percentiles_lie_where_numpy_puts_them(values: list[float]) -> None:
    numpy = pytest.importorskip("numpy")
    for percent in (0, 5, 50, 95, 100):
        assert percentile(values, percent) == pytest.approx(
            float(numpy.percentile(values, percent)), rel=1e-12
        )


@settings(deadline=None, max_examples=40)
@given(samples)
def test_means_lie_where_numpy_puts_them(values: list[float]) -> None:
    numpy = pytest.importorskip("numpy")
    assert mean(values) == pytest.approx(float(numpy.mean(values)), rel=1e-12)


def test_nothing_has_no_mean_and_no_percentile() -> None:
    with pytest.raises(ValueError, match="no values"):
        mean([])
    with pytest.raises(ValueError, match="of 0 samples"):
        percentile([], 50)
    with pytest.raises(ValueError, match="percentile 101"):
        percentile([1.0], 101)
