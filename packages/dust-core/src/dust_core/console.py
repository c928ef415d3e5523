"""The console of rich for this project's tables, bars and colours."""

from collections.abc import Iterable
from typing import IO, Any

from rich.console import Console, ConsoleOptions, RenderableType  # noqa: TID251
from rich.segment import Segment
from rich.text import Text

from dust_core.visible import visible


class Terminal(Console):
    """A console whose text is no markup and steers nothing: names of files come here as they are.

    Its own styles and bars pass `dust_core.streams`; see there.
    """

    def __init__(
        self,
        *,
        file: IO[str] | None = None,
        stderr: bool = False,
        soft_wrap: bool = False,
        width: int | None = None,
    ) -> None:
        super().__init__(
            file=file,
            stderr=stderr,
            soft_wrap=soft_wrap,
            width=width,
            markup=False,
            highlight=False,
            emoji=False,
        )

    @property
    def file(self) -> IO[str]:
        """Where it writes."""
        stream = super().file
        styled: IO[str] = getattr(stream, "styled", stream)
        return styled

    @file.setter
    def file(self, stream: IO[str]) -> None:
        self._file = stream

    def render_str(self, text: str, **options: Any) -> Text:
        """Text of a string, measured as it is shown."""
        return super().render_str(visible(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """The segments of anything that can be shown."""
        if isinstance(renderable, Text) and visible(renderable.plain) != renderable.plain:
            renderable = self._visible(renderable)  # before it is wrapped, which counts characters
        return super().render(renderable, options)

    def _visible(self, text: Text) -> Text:
        shown = text.blank_copy()
        for plain, style, _ in text.render(self):
            shown.append(visible(plain), style)
        return shown
