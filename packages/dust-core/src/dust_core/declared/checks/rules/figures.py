"""REC020 to REC022: a record's figures fit its experiment and are plausible."""

from collections.abc import Iterator

from dust_core.declared.checks.finding import Finding
from dust_core.declared.checks.rules.base import ResultRule
from dust_core.declared.checks.subjects import ResultJson
from dust_core.declared.specs.names import AblationName, KQName, parse_exp_id
from dust_core.errors import DustError

PLAUSIBLE: dict[str, tuple[float, float, str]] = {
    "params_M": (1e-3, 1e4, "millions of parameters"),
    "flops_G": (1e-3, 1e6, "10^9 operations a pair"),
    "size_MB": (1e-3, 1e5, "10^6 bytes"),
    "vram_GB": (1e-3, 1e3, "10^9 bytes"),
    "chamfer": (0, 1e3, "metres"),
    "absrel": (0, 20, "a fraction"),
    "rmse": (0, 1e3, "metres"),
    "t_pair_p50_ms": (0.05, 1e6, "milliseconds"),
    "t_pair_p95_ms": (0.05, 1e6, "milliseconds"),
    "t_scene_s": (1e-3, 1e5, "seconds"),
    "pairs_per_sec": (1e-4, 1e5, "pairs a second"),
    "gpu_hours": (0, 1e5, "hours"),
}
"""Bounds of plausible figures for networks of 10^3 to 10^10 parameters."""

BATCHING = 10.0
"""How far throughput may be above or below the inverse of the latency of one pair, as a factor."""


class ExperimentId(ResultRule):
    """A record's `exp_id` has the form `{stage}_{combo}_{keyparams}_{run}`, and the parameters can
    be read back from it.
    """

    id = "REC020"
    title = "the record's exp_id is not an experiment's id"
    fix = "write the id that the task declares"

    def check(self, subject: ResultJson) -> Iterator[Finding]:
        for loc, record, _ in subject.records:
            exp_id = record.get("exp_id")
            if isinstance(exp_id, str) and not _is_id(exp_id):
                place = subject.place((*loc, "exp_id"))
                yield self.finding(place, exp_id, "an id such as K_T3B05_sched_run1")


class ParametersOfId(ResultRule):
    """combo, rho, T, beta, gamma, bits and keep-list are the parameters that the id spells. A
    record must hold the same parameters as its id.
    """

    id = "REC021"
    title = "a parameter in the record differs from its exp_id"
    fix = "write the parameter that was run; if the id is wrong, run the task again"
    requires = ("REC001", "REC002", "REC004", "REC008", "REC020")

    def check(self, subject: ResultJson) -> Iterator[Finding]:
        from dust_core.declared.records import record_parameters

        for loc, record, _ in subject.records:
            exp_id = record.get("exp_id")
            if not isinstance(exp_id, str) or not _is_id(exp_id):
                continue
            name = parse_exp_id(exp_id)
            if isinstance(name, KQName | AblationName):
                expected: dict[str, object] = {"combo": name.combo}
            else:
                expected = dict(record_parameters(name))
            for field, value in expected.items():
                right = list(value) if isinstance(value, tuple) else value
                if record.get(field) != right:
                    place = subject.place((*loc, field))
                    yield self.finding(
                        place, f"{field}: {_text(record.get(field))}", f"{_text(right)} of {exp_id}"
                    )


class Plausible(ResultRule):
    """A figure far outside the range of such networks is most likely in another unit: bytes for
    megabytes, seconds for milliseconds. Throughput and latency are checked against each other.
    """

    id = "REC022"
    title = "a figure is not plausible in its unit"
    fix = "convert it to the unit in the field's name; records hold MB, GB, ms, s and fractions"
    requires = ("REC001", "REC002", "REC004", "REC007", "REC008")

    def check(self, subject: ResultJson) -> Iterator[Finding]:
        for loc, record, _ in subject.records:
            for field, (low, high, unit) in PLAUSIBLE.items():
                value = _number(record, field)
                if value is not None and value > 0 and not low <= value <= high:
                    place = subject.place((*loc, field))
                    expected = f"{low:g} to {high:g}, in {unit}"
                    yield self.finding(place, f"{field}: {value}", expected)
            rate, latency = _number(record, "pairs_per_sec"), _number(record, "t_pair_p50_ms")
            if rate and latency and not 1 / BATCHING <= rate * latency / 1000 <= BATCHING:
                yield self.finding(
                    subject.place((*loc, "pairs_per_sec")),
                    f"pairs_per_sec: {rate}",
                    f"about {1000 / latency:.3g}, as t_pair_p50_ms is {latency:g}",
                )


def _is_id(text: str) -> bool:
    try:
        parse_exp_id(text)
    except DustError:
        return False
    return True


def _number(record: dict[str, object], field: str) -> float | None:
    value = record.get(field)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _text(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]"
    return "null" if value is None else str(value)


RULES = (ExperimentId(), ParametersOfId(), Plausible())
