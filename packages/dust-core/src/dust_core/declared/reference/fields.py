"""docs/specs.md: every field of every kind of file, from the models."""

import json
from collections.abc import Iterator
from typing import Any

from dust_core.declared.reference.schema import schema_texts
from dust_core.declared.specs.models import KINDS, METRICS

_HEAD = """# Spec reference

Written by `dust spec docs`; do not edit. Every file has `apiVersion: dust/v1`, `kind`, `metadata`
and `spec`; unknown keys are refused. A profile changes size, data, device and runtime, never a
line, a metric or the protocol.

## In an editor

The first line of a spec names its schema, one of `specs/schema/v1`:

    # yaml-language-server: $schema=../schema/v1/distill.schema.json

An editor with the YAML language server completes keys and executors, shows the meaning of a key,
and underlines what the schema refuses. For VS Code it is the extension `redhat.vscode-yaml`, which
`.vscode` recommends; Neovim, Emacs, Helix and Zed start the same server. Where `beta` of K-1 is
spelt `betta`:

    distill.yaml:19:5    Missing property "beta".
    distill.yaml:29:7    Property betta is not allowed.

![the misspelt key is underlined, with the server's message](images/editor.png)

The picture shows monaco, the editor inside VS Code, with the second of these answers of the
language server.

A schema checks one file. `dust validate specs` also checks what files say of one another. In VS
Code it is the test task (*Tasks: Run Test Task*), whose findings appear at their lines.

A project of specs outside of this repository has its own copy: `dust spec schema` writes the
schemas to `specs/schema/v1` of the current folder, where the first lines find them. A single file
anywhere may name a schema by an absolute path or an address, as in
`$schema=/path/to/dust/specs/schema/v1/distill.schema.json`; only in a project of specs does SPEC002
ask for the relative path.
"""


def reference() -> str:
    """The whole page."""
    texts = schema_texts()
    parts = [_HEAD]
    for kind, model in KINDS.items():
        schema = json.loads(texts[f"{kind.lower()}.schema.json"])
        spec = _target(schema["properties"]["spec"], schema)
        summary = (model.__doc__ or "").strip().splitlines()[0]
        parts.append(f"\n## {kind}\n\n{summary}\n\n{_table(spec, schema, 'spec')}")
    parts.append(
        "\n## Metrics that a line can bind\n\n| metric | unit | op | meaning |\n|---|---|---|---|\n"
    )
    parts.extend(f"| `{k}` | {m.unit} | `{m.op}` | {m.meaning} |\n" for k, m in METRICS.items())
    return "".join(parts)


def _table(node: dict[str, Any], schema: dict[str, Any], path: str) -> str:
    rows = [
        f"| `{place}` | {_type(value, schema)} | {_cell(value, schema)} |\n"
        for place, value in _fields(node, schema, path)
    ]
    return "| key | type | meaning |\n|---|---|---|\n" + "".join(rows)


def _fields(
    node: dict[str, Any], schema: dict[str, Any], path: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field below `node`, depth first, with its path in a file."""
    for name, value in node.get("properties", {}).items():
        place = f"{path}.{name}"
        yield place, value
        for inner, suffix in _inside(value, schema):
            yield from _fields(inner, schema, place + suffix)


def _inside(value: dict[str, Any], schema: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    target = _target(value, schema)
    if "properties" in target:
        yield target, ""
    for key in ("additionalProperties", "items"):
        if isinstance(target.get(key), dict):
            suffix = ".*" if key == "additionalProperties" else "[]"
            yield from ((inner, suffix) for inner, _ in _inside(target[key], schema))
    for members in (target.get("patternProperties", {}),):
        for member in members.values():
            yield from ((inner, ".*") for inner, _ in _inside(member, schema))
    for option in (*target.get("anyOf", ()), *target.get("oneOf", ())):
        chosen = _target(option, schema)
        executor = chosen.get("properties", {}).get("does", {}).get("const")
        yield from (
            (inner, f" ({executor})" if executor else "") for inner, _ in _inside(option, schema)
        )


def _target(value: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    reference = value.get("$ref", "")
    definition: dict[str, Any] = schema["$defs"][reference.split("/")[-1]] if reference else value
    return definition


def _type(value: dict[str, Any], schema: dict[str, Any]) -> str:
    target = _target(value, schema)
    if "const" in target:
        return f"`{json.dumps(target['const'])}`"
    if "enum" in target:
        return " \\| ".join(f"`{item}`" for item in target["enum"])
    options = [*target.get("anyOf", ()), *target.get("oneOf", ())]
    if options:
        return " \\| ".join(dict.fromkeys(_type(option, schema) for option in options))
    if target.get("type") == "array" and isinstance(target.get("items"), dict):
        return f"list of {_type(target['items'], schema)}"
    return str(target.get("type", "any"))


def _cell(value: dict[str, Any], schema: dict[str, Any]) -> str:
    text = str(value.get("description") or _target(value, schema).get("description", ""))
    text = text.replace("|", "\\|").replace("\n", " ")
    example = next(iter(value.get("examples", ())), None)
    return text if example is None else f"{text} E.g. `{json.dumps(example, ensure_ascii=False)}`."
