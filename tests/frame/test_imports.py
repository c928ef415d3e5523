"""The shape of the packages: which module imports which, and how long modules and functions are.

Imports count wherever they are: inside functions and for type checkers as well.
"""

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGES = Path(__file__).parents[2] / "packages"
SOURCES = {
    "dust_core": PACKAGES / "dust-core" / "src",
    "dust_eval": PACKAGES / "dust-eval" / "src",
    "dust_compress": PACKAGES / "dust-compress" / "src",
}
MAX_LINES_OF_MODULE = 300
MAX_LINES_OF_FUNCTION = 60

FORBIDDEN = (
    ("dust_core", "dust_eval"),
    ("dust_core", "dust_compress"),
    ("dust_eval", "dust_compress"),
    ("dust_core.declared", "dust_core.network"),
    ("dust_core.declared", "dust_core.pairs"),
    ("dust_core.network", "dust_core.declared"),
    ("dust_core.network", "dust_core.pairs"),
    ("dust_core.pairs", "dust_core.declared"),
    ("dust_core.pairs", "dust_core.network"),
    ("dust_core.declared.reading", "dust_core.declared.specs"),
    ("dust_core.declared.reading", "dust_core.declared.records"),
    ("dust_core.declared.reading", "dust_core.declared.checks"),
    ("dust_core.declared.specs", "dust_core.declared.records"),
    ("dust_core.declared.specs", "dust_core.declared.checks"),
    ("dust_core.declared.records", "dust_core.declared.checks"),
    ("dust_core.declared.pipeline", "dust_core.declared.run"),
)
"""What may not import what, whole packages each: (importer, imported)."""

Modules = Mapping[str, Path]
Graph = Mapping[str, set[str]]


def modules_of(sources: Mapping[str, Path]) -> dict[str, Path]:
    """Every module of the packages, by its dotted name."""
    modules = {}
    for package, root in sources.items():
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return modules


def imports_of(module: str, modules: Modules) -> set[str]:
    """The modules that one of them imports; a name in a package counts as the package."""
    imported = set()
    for node in ast.walk(ast.parse(modules[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = _base(module, modules[module], node)
            imported |= {f"{base}.{alias.name}" for alias in node.names}
    nearest = {_nearest_module(name, modules) for name in imported}
    return nearest - {None, module}  # type: ignore[return-value]


def _base(module: str, path: Path, node: ast.ImportFrom) -> str:
    """The absolute name of what an import is from, which may be written relatively."""
    if node.level == 0:
        return node.module or ""
    parts = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    parts = parts[: len(parts) - node.level + 1]
    return ".".join([*parts, *([node.module] if node.module else [])])


def _nearest_module(name: str, modules: Modules) -> str | None:
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name or None


def graph_of(modules: Modules) -> dict[str, set[str]]:
    """What each module imports."""
    return {module: imports_of(module, modules) for module in modules}


def circle_in(graph: Graph) -> list[str]:
    """Modules that import each other in a circle, the first repeated at the end; else empty."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def against(importer: str, imported: str, graph: Graph) -> Iterator[str]:
    """Each import of a module of `imported` by a module of `importer`."""
    for module, targets in graph.items():
        if _is_in(module, importer):
            for target in sorted(targets):
                if _is_in(target, imported):
                    yield f"{module} imports {target}"


def _is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def long_functions(path: Path) -> Iterator[str]:
    """The functions and methods of a file that are too long; decorators count, comments too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            length = (node.end_lineno or first) - first + 1
            if length > MAX_LINES_OF_FUNCTION:
                yield f"{node.name} in {path.name}: {length} lines"


MODULES = modules_of(SOURCES)


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    return graph_of(MODULES)


def test_no_modules_import_each_other_in_a_circle(graph: Graph) -> None:
    assert len(MODULES) > 200, "the packages are not where this test looks"
    assert " imports ".join(circle_in(graph)) == ""


@pytest.mark.parametrize(("importer", "imported"), FORBIDDEN)
def test_imports_point_one_way(graph: Graph, importer: str, imported: str) -> None:
    assert {importer, imported} <= set(graph), "the rule names what is not there"
    assert list(against(importer, imported, graph)) == []


def test_no_module_is_too_long() -> None:
    lengths = {name: len(path.read_bytes().splitlines()) for name, path in MODULES.items()}
    assert {name: n for name, n in lengths.items() if n > MAX_LINES_OF_MODULE} == {}


def test_no_function_is_too_long() -> None:
    assert [text for path in MODULES.values() for text in long_functions(path)] == []


def written(folder: Path, files: Mapping[str, str]) -> dict[str, Path]:
    """The modules of a package `tiny`, made of `files`."""
    for name, text in {"__init__.py": "", **files}.items():
        path = folder / "tiny" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return modules_of({"tiny": folder})


@pytest.mark.parametrize(
    "text",
    [
        "import tiny.first\n",
        "from tiny import first\n",
        "from tiny.first import name\n",
        "from . import first\n",
        "from .first import name\n",
        "def later():\n    from tiny.first import name\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from tiny.first import name\n",
    ],
)
def test_a_circle_is_seen_however_it_is_written(tmp_path: Path, text: str) -> None:
    modules = written(tmp_path, {"first.py": "from tiny.second import name\n", "second.py": text})
    graph = graph_of(modules)
    circle = circle_in(graph)
    assert circle[0] == circle[-1] and set(circle) == {"tiny.first", "tiny.second"}
    assert list(against("tiny.second", "tiny.first", graph)) == ["tiny.second imports tiny.first"]


def test_a_long_function_is_seen(tmp_path: Path) -> None:
    body = "    pass\n" * (MAX_LINES_OF_FUNCTION - 1)
    modules = written(
        tmp_path,
        {
            "fits.py": f"def fits():\n{body}",
            "long.py": f"class Some:\n  @property\n  def long(self):\n{body}",
        },
    )
    assert list(long_functions(modules["tiny.fits"])) == []
    assert list(long_functions(modules["tiny.long"])) == ["long in long.py: 61 lines"]
