import pytest

from dust_core.declared.reading.json_text import JsonFault, JsonText, parse_json

TEXT = """{
  "kind": "Result",
  "results": [
    {"record": {"T": 3, "note": "a \\"quoted\\" [text]"}, "k\\u00e9y": [1, [2, 3], {}]},
    {"record": null}
  ]
}
"""


def parsed(text: str) -> JsonText:
    return parse_json(text.encode(), "some.json")


@pytest.mark.parametrize(
    ("loc", "of_key", "line", "column"),
    [
        ((), False, 1, 1),
        (("kind",), False, 2, 11),
        (("kind",), True, 2, 3),
        (("results", 0, "record", "T"), False, 4, 22),
        (("results", 0, "record", "note"), True, 4, 25),
        (("results", 0, "kéy", 1, 1), False, 4, 77),
        (("results", 1, "record"), False, 5, 16),
        (("results", 1, "provenance"), False, 5, 5),
        (("results", 7), False, 3, 3),
        (("results", 0, "record", "T", "deeper"), False, 4, 17),
    ],
)
def test_places_are_those_an_editor_shows(
    loc: tuple[str | int, ...], of_key: bool, line: int, column: int
) -> None:
    place = parsed(TEXT).place(loc, of_key=of_key)
    assert (place.path, place.line, place.column) == ("some.json", line, column)


@pytest.mark.parametrize(
    ("text", "line", "column", "refused"),
    [
        ('{"a": 1,\n "b": {"a": 2, "a": 3}}', 2, 16, "a"),
        ('{"a": ["NaN", {"b":\nNaN}]}', 2, 1, "NaN"),
        ('{"a": -Infinity}', 1, 7, "-Infinity"),
        ('{"a": 1e400}', 1, 7, "1e400"),
        ('{"a": ' + "7" * 41 + "}", 1, 7, "7" * 41),
        ('{"a": 1', 1, 8, "the end"),
        ('{"a": 1}}', 1, 9, "}"),
        ("{'a': 1}", 1, 2, "'a': 1}"),
    ],
)
def test_what_is_refused_is_pointed_at(text: str, line: int, column: int, refused: str) -> None:
    with pytest.raises(JsonFault) as caught:
        parsed(text)
    fault = caught.value
    assert (fault.place.line, fault.place.column, fault.text) == (line, column, refused)


def test_limits_are_named() -> None:
    with pytest.raises(JsonFault, match="16,000,000 bytes"):
        parse_json(b" " * 16_000_001, "big.json")
    with pytest.raises(JsonFault, match="1,000,000 values"):
        parse_json(b"[" + b"1," * 1_000_001 + b"1]", "many.json")
    with pytest.raises(JsonFault, match="nesting"):
        parse_json(b"[" * 100_000, "deep.json")
