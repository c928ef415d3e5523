import io
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import check_examples as examples
import pytest
from jsonschema import Draft7Validator

from dust_core.declared.checks import Report, validate
from dust_core.declared.checks.formats import write

# What GitHub's code scanning reads of SARIF 2.1.0 (OASIS standard, sections 3.13 to 3.30).
SARIF = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "items": {
                "required": ["tool", "results"],
                "properties": {
                    "results": {
                        "items": {
                            "required": ["ruleId", "message", "locations"],
                            "properties": {"level": {"enum": ["none", "note", "warning", "error"]}},
                        }
                    }
                },
            }
        },
    },
}


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Report:
    """A misspelt key, a loosened line, an unused one (a warning), and rules that wait."""
    folder = examples.build(examples.EXAMPLES / "invalid" / "GATE008-unused.toml", tmp_path)
    file = folder / "specs" / "v1" / "distill.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("patience", "patiense"), encoding="utf-8")
    lines = folder / "specs" / "v1" / "gates.yaml"
    text = lines.read_text(encoding="utf-8")
    lines.write_text(text.replace("value: 1.0", "value: 1.5"), encoding="utf-8")
    monkeypatch.chdir(folder)
    return validate([Path("specs")])


def written(report: Report, form: str) -> str:
    stream = io.StringIO()
    write(report, form, stream)
    return stream.getvalue()


def test_json_has_every_part_of_a_finding(report: Report) -> None:
    content = json.loads(written(report, "json"))
    finding: dict[str, Any] = next(
        item for item in content["findings"] if item["rule"] == "SPEC010"
    )
    assert finding["path"] == "specs/v1/distill.yaml"
    assert (finding["line"], finding["column"]) == (35, 7)
    assert finding["found"] == "patiense"
    assert finding["did_you_mean"] == "patience"
    assert (content["errors"], content["warnings"]) == (report.errors, report.warnings)
    assert {rule["rule"] for rule in content["not_checked"]} == {
        entry.rule for entry in report.skipped
    }


def test_junit_counts_rules(report: Report) -> None:
    suite = ET.fromstring(written(report, "junit")).find("testsuite")
    assert suite is not None
    cases = suite.findall("testcase")
    failed = [case.get("classname") for case in cases if case.find("failure") is not None]
    assert int(suite.get("tests", "0")) == len(cases) == len(report.rules)
    assert int(suite.get("failures", "0")) == len(failed)
    assert "dust.SPEC" in failed
    assert "dust.GATE" in failed
    unused = next(case for case in cases if (case.get("name") or "").startswith("GATE008"))
    assert unused.find("failure") is None
    assert "no task names this line" in (unused.findtext("system-out") or "")


def test_sarif_is_what_code_scanning_reads(report: Report) -> None:
    content = json.loads(written(report, "sarif"))
    Draft7Validator(SARIF).validate(content)
    (run,) = content["runs"]
    assert len(run["results"]) == len(report.findings)
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    levels = {result["ruleId"]: result["level"] for result in run["results"]}
    assert levels["SPEC010"] == "error"
    assert levels["GATE008"] == "warning"


def test_github_annotates_lines(report: Report) -> None:
    lines = written(report, "github").splitlines()
    (line,) = [line for line in lines if "SPEC010" in line]
    assert line.startswith("::error file=specs/v1/distill.yaml,line=35,col=7,title=SPEC010 ")
    assert "%0Adid you mean patience?%0A" in line
    assert any(line.startswith("::warning ") for line in lines)
    assert any("found:    quality: 1.5 %25%0A" in line for line in lines)


def test_colours_only_on_a_terminal(report: Report) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    write(report, "text", terminal)
    assert "\x1b[" in terminal.getvalue()
    assert "did you mean patience?" in terminal.getvalue()
    assert "\x1b[" not in written(report, "text")
