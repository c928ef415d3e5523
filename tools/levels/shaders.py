"""Shader scripts: the pictures of surface names.

A script is a list of `name { directives { stage directives } ... }`. Only the part of the game
engine's language that decides the look of a still picture is read; the rest is skipped.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from PIL import Image

from levels.archive import Archives

_TOKEN = re.compile(r'"[^"]*"|[{}\n]|[^\s{}"]+')
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_TWO_SIDED = {"none", "disable", "twosided"}


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One layer of a surface: its picture and how it is laid over what is below."""

    picture: str = ""
    blended: bool = False
    cut_out: bool = False
    reflects: bool = False
    repeat: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class Shader:
    """A script's definition of a surface name."""

    parameters: frozenset[str] = frozenset()
    stages: tuple[Stage, ...] = ()
    editor_picture: str = ""
    two_sided: bool = False

    @property
    def is_sky(self) -> bool:
        """Whether the surface is the sky, which has no depth."""
        return "sky" in self.parameters

    @property
    def is_invisible(self) -> bool:
        """Whether the game does not draw it, or draws it as fog, which this renderer leaves out."""
        return bool(self.parameters & {"nodraw", "fog"})

    @property
    def is_translucent(self) -> bool:
        """Whether it is blended with the surface behind it (glass, flames, water). Then it is not
        drawn, because such a pixel has two depths."""
        return (
            bool(self.stages)
            and self.stages[0].blended
            and not self.stages[0].picture.startswith("$")
            and not any(stage.picture.lower() == "$lightmap" for stage in self.stages)
        )


@dataclass(frozen=True)
class Material:
    """A surface in the form that the renderer needs.

    Attributes:
        picture: its picture, or None if no archive has it.
        cut_out: pixels with alpha below one half are holes.
        repeat: factors on the texture coordinates.
    """

    picture: Image.Image | None
    cut_out: bool = False
    repeat: tuple[float, float] = (1.0, 1.0)


PLAIN = Shader()


def read_scripts(archives: Archives) -> dict[str, Shader]:
    """All shaders of a game by name (lower case); the first definition of a name holds."""
    shaders: dict[str, Shader] = {}
    for name in archives.names("scripts/", ".shader"):
        for surface, shader in parse(archives.read(name).decode("latin-1")):
            shaders.setdefault(surface, shader)
    return shaders


def parse(script: str) -> Iterator[tuple[str, Shader]]:
    """Yield the name and the shader of each definition in `script`.

    A definition that is never closed ends with the script, as in the game.
    """
    draft: _Draft | None = None
    name, depth, line = "", 0, list[str]()
    for token in [*_TOKEN.findall(_COMMENT.sub(" ", script)), "\n"]:
        if token not in ("{", "}", "\n"):
            line.append(token.strip('"'))
            continue
        if depth == 0 and line:
            name = line[-1].lower()
        elif draft is not None and line:
            draft.directive(line, in_stage=depth > 1)
        line = []
        if token == "{":
            depth += 1
            if depth == 1:
                draft = _Draft()
            elif depth == 2 and draft is not None:
                draft.stages.append({})
        elif token == "}" and depth > 0:
            depth -= 1
            if depth == 0 and draft is not None:
                yield name, draft.finished()
                draft = None


def material(name: str, shader: Shader, archives: Archives) -> Material:
    """The picture of the surface `name`: of its first stage that has one, else its namesake's."""
    for stage in shader.stages:
        if stage.picture.startswith("$") or stage.reflects or not stage.picture:
            continue
        picture = archives.picture(stage.picture)
        if picture is not None:
            return Material(picture, stage.cut_out, stage.repeat)
    for fallback in (shader.editor_picture, name):
        picture = archives.picture(fallback) if fallback else None
        if picture is not None:
            return Material(picture)
    return Material(None)


@dataclass
class _Draft:
    """A shader while it is being read."""

    parameters: set[str] = field(default_factory=set)
    stages: list[dict[str, object]] = field(default_factory=list)
    editor_picture: str = ""
    two_sided: bool = False

    def directive(self, words: list[str], *, in_stage: bool) -> None:
        key, values = words[0].lower(), words[1:]
        if not values:
            return
        if in_stage:
            self._stage_directive(key, values)
        elif key == "surfaceparm":
            self.parameters.add(values[0].lower())
        elif key == "skyparms":
            self.parameters.add("sky")
        elif key == "qer_editorimage":
            self.editor_picture = values[0]
        elif key == "cull":
            self.two_sided = values[0].lower() in _TWO_SIDED

    def _stage_directive(self, key: str, values: list[str]) -> None:
        stage = self.stages[-1]
        if key in ("map", "clampmap"):
            stage["picture"] = values[0]
        elif key == "animmap" and len(values) > 1:
            stage["picture"] = values[1]
        elif key == "blendfunc":
            stage["blended"] = True
        elif key == "alphafunc":
            stage["cut_out"] = True
        elif key == "tcgen" and values[0].lower() == "environment":
            stage["reflects"] = True
        elif key == "tcmod" and values[0].lower() == "scale" and len(values) > 2:
            stage["repeat"] = (_number(values[1]), _number(values[2]))

    def finished(self) -> Shader:
        return Shader(
            parameters=frozenset(self.parameters),
            stages=tuple(Stage(**stage) for stage in self.stages),  # type: ignore[arg-type]
            editor_picture=self.editor_picture,
            two_sided=self.two_sided,
        )


def _number(word: str) -> float:
    """A factor on texture coordinates; 1 where the script has an error."""
    try:
        return float(word)
    except ValueError:
        return 1.0
