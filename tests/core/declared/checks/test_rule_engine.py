from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import check_examples as examples
import pytest

from dust_core.declared.checks import Finding, Place, Rule, all_rules, catalogue, validate
from dust_core.declared.checks.engine import judge
from dust_core.declared.checks.select import choose
from dust_core.declared.reading.wording import nearest, one_of, quote
from dust_core.errors import DustError


class Whole:
    """A subject of parts that are only numbers."""

    def __init__(self, path: str, value: int = 0, parts: tuple["Whole", ...] = ()) -> None:
        self.path = path
        self.value = value
        self.parts = parts


class Number(Rule[Whole]):
    subject = Whole
    limit: ClassVar[int]

    def check(self, subject: Whole) -> Iterator[Finding]:
        if subject.value > self.limit:
            yield self.finding(Place(subject.path), str(subject.value), f"at most {self.limit}")


class Small(Number):
    id = "AAA001"
    title = "too large"
    fix = "make it smaller"
    limit = 5


class Tiny(Number):
    id = "AAA002"
    title = "not tiny"
    fix = "make it tiny"
    limit = 1
    requires = ("AAA001",)


class Odd(Number):
    id = "BBB001"
    title = "warned of"
    fix = "nothing"
    limit = 3
    severity = "warning"


RULES = (Small(), Tiny(), Odd())


def run(value: int, *selected: Rule[Whole]) -> tuple[list[str], list[str]]:
    part = Whole("part", value)
    outcome = judge([part, Whole("whole", 2, (part,))], RULES, selected, lambda path: True)
    findings = [f"{finding.rule} {finding.place.path}" for finding in outcome.findings]
    return findings, [f"{entry.rule} {entry.path}: {entry.reason}" for entry in outcome.skipped]


def test_a_rule_waits_where_what_it_requires_found_something() -> None:
    assert run(1, *RULES) == (["AAA002 whole"], [])
    assert run(9, *RULES) == (
        ["AAA001 part", "BBB001 part"],
        [
            "AAA002 part: waits until AAA001 finds nothing",
            "AAA002 whole: waits until AAA001 finds nothing",
        ],
    )


def test_a_required_rule_runs_unreported_when_it_is_not_selected() -> None:
    findings, skipped = run(9, Tiny())
    assert not findings
    assert len(skipped) == 2


def test_selection_takes_beginnings_of_ids_in_any_case() -> None:
    def ids(select: list[str], ignore: list[str]) -> list[str]:
        return [rule.id for rule in choose(RULES, select, ignore)]

    assert ids([], []) == ["AAA001", "AAA002", "BBB001"]
    assert ids(["aaa"], ["AAA002"]) == ["AAA001"]
    assert ids(["BBB001, AAA001"], []) == ["AAA001", "BBB001"]
    with pytest.raises(DustError, match="'AAB'") as caught:
        ids(["AAB"], [])
    assert "did you mean AAA?" in str(caught.value)


def test_ids_titles_and_fixes_are_fit_to_print() -> None:
    rules = all_rules()
    assert len({rule.id for rule in rules}) == len(rules)
    for rule in rules:
        assert rule.explanation
        assert rule.title[0].islower() or rule.title[0].isdigit()
        assert not rule.title.endswith(".")
        assert not rule.fix.endswith(".")
        for prefix in rule.requires:
            assert any(other.id.startswith(prefix) for other in rules), (rule.id, prefix)


def test_words_are_quoted_on_one_line() -> None:
    assert quote("a\nb\x00") == "a\\nb\\x00"
    assert quote([True, None, 1.5, {"key": 1}]) == "[true, null, 1.5, {key}]"
    assert len(quote("x" * 500)) == 80
    assert quote(list(range(10**5))).endswith("...")


def test_the_nearest_spelling_is_near() -> None:
    assert nearest("Epoch", ["epochs", "patience"]) == "epochs"
    assert nearest("zzz", ["epochs", "patience"]) == ""
    assert one_of(["a"]) == "a"
    assert one_of(["a", "b", "c"]) == "a, b or c"
    assert one_of([str(n) for n in range(20)]).endswith("... (20 in all)")


def test_a_package_brings_rules_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "graph_rules.py").write_text(
        "from dust_core.declared.checks import Place, Rule\n"
        "from dust_core.declared.checks.subjects import Graph\n"
        "class Empty(Rule[Graph]):\n"
        "    '''A graph has nodes.'''\n"
        "    id, title, fix, subject = 'QDQ901', 'the graph is empty', 'export it', Graph\n"
        "    def check(self, subject):\n"
        "        if not subject.file.read_bytes():\n"
        "            yield self.finding(Place(subject.path), 'no node', 'a node')\n"
        "RULES = (Empty(),)\n"
    )
    metadata = tmp_path / "graph_rules-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: graph-rules\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[dust.rules]\nQDQ9 = graph_rules:RULES\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    graph = tmp_path / "ptq_int8.onnx"
    graph.write_bytes(b"")
    by_rule = {finding.rule: finding.found for finding in validate([graph]).findings}
    assert by_rule["QDQ901"] == "no node"


def test_two_rules_of_one_id_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "same_rules.py").write_text(
        "from dust_core.declared.checks.rules.files import Readable\nRULES = (Readable(),)\n"
    )
    metadata = tmp_path / "same_rules-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: same-rules\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[dust.rules]\nSAME = same_rules:RULES\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(DustError, match="two rules have the id SPEC001"):
        all_rules()


def test_the_catalogue_is_the_committed_page() -> None:
    pytest.importorskip("dust_compress", reason="the page has the rules of every package")
    page = examples.EXAMPLES.parents[1] / "docs" / "rules.md"
    committed = page.read_text(encoding="utf-8")
    assert catalogue(all_rules()) == committed, "write it again: dust rules > docs/rules.md"
