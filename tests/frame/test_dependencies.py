"""What the packages and the groups of pyproject.toml declare is what their code imports."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]

# Which extras a room of a package may count on; every other file has the package's own
# dependencies alone. The longest path decides.
ROOMS: dict[str, dict[str, tuple[str, ...]]] = {
    "dust-core": {
        "network": ("torch",),
        "network/onnx": ("torch", "onnx"),
        "pairs": ("data",),
        "pairs/importing/workers.py": ("data", "cluster"),
        "scheduler.py": ("cluster",),
    },
    "dust-eval": {
        "cards": ("report",),
        "cluster": ("cluster",),
        "measure": ("torch", "runtimes"),
        "quality/pictures.py": ("torch",),
        "report": ("report",),
        "runtimes": ("runtimes",),
        "scene": ("scene",),
        "verbs": ("torch",),
    },
    "dust-compress": {
        "distill": ("distill",),
        "engine": ("engine",),
        "quantize": ("quantize",),
        "teacher.py": ("distill",),
        "train": ("distill",),
    },
}

# Imported and not declared: a part of a library that is declared.
COMES_WITH = {
    "dask": ("distributed", "which requires exactly one version of it"),
    "markupsafe": ("jinja2", "what its templates return"),
    "protobuf": ("onnx", "its messages, and the errors of reading one"),
    "pydantic-core": ("pydantic", "which requires exactly one version of it"),
}

# Declared and not imported.
NOT_IMPORTED = {
    "huggingface-hub": "nvidia-modelopt imports it and does not require it",
    "requests": "nvidia-modelopt imports it and does not require it",
    "onnx": "onnx-ir reads and writes files through it, and accepts versions older than ours",
    "onnxruntime-ep-nv-tensorrt-rtx-cu12": "the compiler's libraries, which are loaded by path",
    "tensorrt": "imported by name, where the host has it",
    "tensorrt-cu12-bindings": "imported by name, in a process of its own",
    "dvc-s3": "DVC loads it for remotes in S3",
    "flask": "moto's server imports it and does not require it",
    "flask-cors": "moto's server imports it and does not require it",
    "moto": "a program",
    "pytest-xdist": "a plug-in of pytest: the -n of `nox -s tests`",
    "mypy": "a program",
    "types-pyyaml": "the types of yaml, which mypy reads",
    "pre-commit": "a program",
    "ruff": "a program",
    "build": "a program",
    "check-jsonschema": "a program",
    "twine": "a program",
    "mkdocstrings-python": "zensical imports it where the site's settings name it",
    "pymdown-extensions": "zensical imports them where the site's settings name them",
    "zensical": "a program",
    "editables": "hatchling uses it for editable installations",
    "hatchling": "the packages' build backend",
}

# What benchmarks compare with, installed by hand where a benchmark says so.
PEERS = {"dust3r", "nncf"}

PYTHONS = ("3.11", "3.12", "3.13")

# Which folders a dependency group serves; a package's own declarations serve them too.
GROUPS = {
    "tests": ("tests",),
    "pipeline": ("tests",),
    "docs": ("tools",),
    "levels": ("tools",),
    "containers": ("containers", "tests"),
    "lint": ("noxfile.py",),
    "build": (),
}


def normal(name: str) -> str:
    """A distribution's name as the index compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def project(package: str) -> dict[str, list[str]]:
    """What a package requires: its own dependencies under "", and each extra's."""
    content = tomllib.loads((ROOT / "packages" / package / "pyproject.toml").read_text())["project"]
    return {"": content["dependencies"], **content["optional-dependencies"]}


def groups() -> dict[str, list[str]]:
    """The dependency groups, without the ones that only include others."""
    content = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    return {
        name: [line for line in lines if isinstance(line, str)]
        for name, lines in content.items()
        if name != "dev"
    }


def asked(lines: Iterable[str]) -> set[str]:
    return {normal(Requirement(line).name) for line in lines}


def available(package: str, extras: Iterable[str]) -> set[str]:
    """What the package declares with these extras, through our own packages too."""
    names: set[str] = set()
    for line in (*project(package)[""], *(x for extra in extras for x in project(package)[extra])):
        requirement = Requirement(line)
        names.add(normal(requirement.name))
        if requirement.name in ROOMS:
            names |= available(requirement.name, sorted(requirement.extras))
    return names


@cache
def imports(path: Path) -> frozenset[str]:
    """The distributions, or for want of one the modules, that a file imports from outside."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.add(node.module)
    tops = {module.partition(".")[0] for module in modules} - set(sys.stdlib_module_names)
    if any(module.startswith("nvidia.dali") for module in modules):
        tops = tops - {"nvidia"} | {"nvidia.dali"}  # a dozen distributions share the first part
    return frozenset(distribution(top) for top in tops - ours())


def distribution(module: str) -> str:
    if module == "nvidia.dali":
        return "nvidia-dali-cuda120"
    return normal(distributions().get(module, [module])[0])


@cache
def distributions() -> Mapping[str, list[str]]:
    return packages_distributions()


@cache
def ours() -> frozenset[str]:
    """Modules of the repository: the packages, the tool, helpers of tests and benchmarks."""
    packages = {name.replace("-", "_") for name in ROOMS}
    files = [
        path
        for name in ("tests", "benchmarks", "containers")
        for path in (ROOT / name).rglob("*.py")
    ]
    helpers = {path.parent.name if path.stem == "__init__" else path.stem for path in files}
    return frozenset({*packages, "levels", "pages", *helpers})


def sources(folder: str) -> Iterator[Path]:
    path = ROOT / folder
    yield from [path] if path.is_file() else sorted(path.rglob("*.py"))


def room(package: str, path: Path) -> tuple[str, ...]:
    """The extras that a file of a package may count on."""
    inside = path.relative_to(package_folder(package)).as_posix()
    names = [name for name in ROOMS[package] if inside == name or inside.startswith(f"{name}/")]
    return ROOMS[package][max(names, key=len)] if names else ()


def package_folder(package: str) -> Path:
    return ROOT / "packages" / package / "src" / package.replace("-", "_")


def undeclared(path: Path, declared: set[str]) -> Iterator[str]:
    for name in sorted(imports(path)):
        if name not in declared and COMES_WITH.get(name, ("", ""))[0] not in declared:
            yield f"{path.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize("package", ROOMS)
def test_each_room_imports_what_its_extras_declare(package: str) -> None:
    faults = [
        fault
        for path in sources(str(package_folder(package)))
        for fault in undeclared(path, available(package, room(package, path)))
    ]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("package", ROOMS)
def test_each_extra_declares_what_its_rooms_import(package: str) -> None:
    faults = []
    for extra, lines in project(package).items():
        imported = {
            name
            for path in sources(str(package_folder(package)))
            if not extra or extra in room(package, path)
            for name in imports(path)
        }
        external = {name for name in asked(lines) if name not in ROOMS}
        faults += [
            f"{package}[{extra}] declares {name}, which its rooms do not import"
            for name in sorted(external - imported - NOT_IMPORTED.keys())
        ]
    assert not faults, "\n".join(faults)


def test_the_rooms_are_there() -> None:
    for package, rooms in ROOMS.items():
        missing = [name for name in rooms if not (package_folder(package) / name).exists()]
        assert not missing, f"{package}: {missing}"
        assert {extra for extras in rooms.values() for extra in extras} <= project(package).keys()


def test_tests_tools_and_benchmarks_import_what_is_declared() -> None:
    everything = {name for package in ROOMS for name in available(package, project(package))}
    faults = []
    for folder in ("tests", "tools", "noxfile.py", "benchmarks", "containers"):
        declared = everything | (PEERS if folder == "benchmarks" else set())
        for group, lines in groups().items():
            if folder in GROUPS[group]:
                declared |= asked(lines)
        faults += [fault for path in sources(folder) for fault in undeclared(path, declared)]
    assert not faults, "\n".join(faults)


def test_each_group_declares_what_its_folders_import() -> None:
    assert groups().keys() == GROUPS.keys()
    faults = [
        f"the group {group} declares {name}, which {GROUPS[group]} do not import"
        for group, lines in groups().items()
        for name in sorted(asked(lines) - NOT_IMPORTED.keys())
        if not any(name in imports(path) for folder in GROUPS[group] for path in sources(folder))
    ]
    assert not faults, "\n".join(faults)


def test_the_exceptions_are_needed() -> None:
    packages = [
        name for package in ROOMS for lines in project(package).values() for name in asked(lines)
    ]
    declared = {*packages, *(name for lines in groups().values() for name in asked(lines))}
    assert declared >= NOT_IMPORTED.keys()
    files = [path for package in ROOMS for path in sources(str(package_folder(package)))]
    assert {name for path in files for name in imports(path)} >= COMES_WITH.keys()


def test_the_lock_holds_nothing_that_nobody_asks_for() -> None:
    """Pins of packages that are not installed here, as of another platform, cannot be judged."""
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = {normal(line.partition("==")[0]) for line in lines if line and line[0] != "#"}
    installed = {normal(name) for names in distributions().values() for name in names}
    assert not sorted(pins & installed - closure())


def closure() -> set[str]:
    """Everything that the extras and the groups need, and what that needs."""
    waiting = [Requirement(line) for lines in groups().values() for line in lines]
    waiting += [
        Requirement(f"{package}[{','.join(filter(None, project(package)))}]") for package in ROOMS
    ]
    reached: set[tuple[str, str]] = set()
    while waiting:
        requirement = waiting.pop()
        name = normal(requirement.name)
        for extra in {"", *requirement.extras} - {e for n, e in reached if n == name}:
            reached.add((name, extra))
            waiting += needs(name, extra)
    return {name for name, _ in reached}


def needs(name: str, extra: str) -> list[Requirement]:
    """What a distribution requires for one extra, or without any."""
    if name in ROOMS:
        return [Requirement(line) for line in project(name)[extra]]
    try:
        lines = [Requirement(line) for line in requires(name) or ()]
    except PackageNotFoundError:  # for another platform, or a GPU host's
        return []
    return [line for line in lines if _applies(line, extra)]


def _applies(line: Requirement, extra: str) -> bool:
    """Whether some version of Python that the lock is for needs this."""
    if line.marker is None:
        return not extra
    marker = line.marker
    return any(
        marker.evaluate({"extra": extra, "python_version": version})
        and not (extra and marker.evaluate({"extra": "", "python_version": version}))
        for version in PYTHONS
    )
