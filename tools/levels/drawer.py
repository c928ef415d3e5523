"""Packed levels drawn fast: many views at a time, below one another in one tall picture."""

from collections.abc import Sequence
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from levels.camera import Camera
from levels.glsl import programs
from levels.packing import PackedScene
from levels.render import open_context
from levels.scene import Style

_TALLEST = 8192


class Drawer:
    """Draws one packed level at one size; a context manager, because it holds device memory.

    Args:
        scene: what to draw.
        size: the side of the pictures, pixels.

    Raises:
        DustError: there is no OpenGL context.
    """

    def __init__(self, scene: PackedScene, size: int) -> None:
        self._size = size
        self.views = max(2, _TALLEST // size // 2 * 2)
        self._context = open_context()
        try:
            self._load(scene)
        except BaseException:
            self._context.release()
            raise

    def __enter__(self) -> "Drawer":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._context.gc_mode = "context_gc"
        self._context.gc()
        self._context.release()

    def draw(self, cameras: Sequence[Camera]) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
        """The pictures of at most `views` cameras; valid until the next call.

        Returns:
            (N, S, S, 4) colour before exposure, whose fourth value is 255 where a surface is seen;
            (N, S, S) depth, millimetres, 0 where it is unknown.
        """
        target, size = self._target, self._size
        target.viewport = (0, 0, size, size * self.views)
        target.use()
        target.clear()
        for row, camera in enumerate(cameras):
            target.viewport = (0, row * size, size, size)
            clip = camera.clip_from_world().T.astype(np.float32).tobytes()
            eye = camera.eye.astype(np.float32).tobytes()
            for program, array, first, count in self._arrays:
                program["clip_from_world"].write(clip)
                if "eye" in program:
                    program["eye"].write(eye)
                array.render(vertices=count, first=first)
        used = (0, 0, size, size * len(cameras))
        target.read_into(self._colour, used, components=4, attachment=0, dtype="f1", alignment=1)
        target.read_into(self._depth, used, components=1, attachment=1, dtype="nu2", alignment=1)
        return self._colour[: len(cameras)], self._depth[: len(cameras)]

    def _load(self, scene: PackedScene) -> None:
        import moderngl

        context, size = self._context, self._size
        context.enable(moderngl.DEPTH_TEST)
        # The picture is drawn upside down, which reverses the winding of every triangle.
        context.front_face = "cw"
        height, width = scene.lightmaps.shape[:2]
        self._lightmaps = context.texture(
            (width, height), 3, scene.lightmaps.tobytes(), alignment=1
        )
        self._lightmaps.filter = (moderngl.LINEAR, moderngl.LINEAR)
        self._lightmaps.use(1)
        layers, side = scene.pictures.shape[:2]
        self._pictures = context.texture_array((side, side, layers), 4, scene.pictures.tobytes())
        self._pictures.build_mipmaps()
        self._pictures.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
        self._pictures.use(0)
        vertices = context.buffer(scene.vertices.tobytes())
        triangles = context.buffer(scene.triangles.tobytes())
        names = ("position", "uv", "lightmap_uv", "light", "two_sided", "layer")
        self._arrays: list[tuple[Any, moderngl.VertexArray, int, int]] = []
        first = 0
        for style, count in zip(Style, scene.styles, strict=True):
            if count:
                program = context.program(*programs(packed=style))
                for sampler, unit in (("picture", 0), ("lightmaps", 1)):
                    if sampler in program:
                        program[sampler] = unit
                array = context.vertex_array(
                    program,
                    [(vertices, "3f 2f 2f 3f1 1f1 1f", *names)],
                    triangles,
                    skip_errors=True,
                )
                self._arrays.append((program, array, 3 * first, 3 * count))
            first += count
        tall = (size, size * self.views)
        self._target = context.framebuffer(
            [context.texture(tall, 4), context.texture(tall, 1, dtype="nu2")],
            context.depth_renderbuffer(tall),
        )
        self._colour = np.empty((self.views, size, size, 4), dtype=np.uint8)
        self._depth = np.empty((self.views, size, size), dtype=np.uint16)
