"""Pages of the code: one a package, with the docstrings of its public modules."""

import ast
from pathlib import Path, PurePosixPath


def write_modules(root: Path, pages: Path) -> list[tuple[str, PurePosixPath]]:
    """Write the pages of all packages to `pages`; each package's name with its page.

    A name that begins with an underscore is not public.
    """
    written = []
    for start in sorted(root.glob("packages/*/src/*/__init__.py")):
        source = start.parent.parent
        for init in sorted(start.parent.rglob("__init__.py")):
            package = ".".join(init.parent.relative_to(source).parts)
            path = PurePosixPath("reference", f"{package}.md")
            target = pages / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(_page(package, init), encoding="utf-8")
            written.append((package, path))
    return written


def _page(package: str, init: Path) -> str:
    tree = ast.parse(init.read_text(encoding="utf-8"))
    parts = [f"# {package}", ast.get_docstring(tree) or ""]
    names = _exported(tree)
    if names:
        listed = ", ".join(f"`{name}`" for name in names)
        parts.append(f"Import from `{package}`: {listed}.")
    modules = sorted(init.parent.glob("[!_]*.py"))
    parts += [f"::: {package}.{path.stem}" for path in modules]
    return "\n\n".join(parts) + "\n"


def _exported(tree: ast.Module) -> list[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names: list[str] = ast.literal_eval(node.value)
            return names
    return []
