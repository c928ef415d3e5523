"""Colour and depth of a scene through OpenGL: on a GPU, or on a CPU through Mesa's llvmpipe."""

from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dust_core.errors import DustError
from levels.camera import Camera
from levels.glsl import programs
from levels.scene import Scene

if TYPE_CHECKING:
    import moderngl

_DRAWN = 64
"""Alpha of a pixel on which something was drawn, sky included, is above this."""


@dataclass(frozen=True)
class Rendering:
    """The picture of a camera.

    Attributes:
        camera: its place, direction and lens.
        colour: (S, S, 3) uint8, before exposure.
        depth: (S, S) float32, metres along the line of sight's axis; 0 for sky and void.
        void: share of pixels on which nothing was drawn: holes of the level.
        inside_out: share of pixels that show the back of a wall.
    """

    camera: Camera
    colour: NDArray[np.uint8]
    depth: NDArray[np.float32]
    void: float
    inside_out: float

    @property
    def size(self) -> int:
        """The side of the picture, pixels."""
        return len(self.depth)


class Renderer:
    """Draws one scene at any size; a context manager, because it holds device memory.

    Args:
        scene: what to draw.

    Raises:
        DustError: there is no OpenGL context.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._context = open_context()
        try:
            self._load(scene)
        except BaseException:
            self._context.release()
            raise

    def __enter__(self) -> "Renderer":
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

    def render(self, camera: Camera, size: int) -> Rendering:
        """The picture of `camera`, in `size` x `size` pixels."""
        target = self._target(size)
        target.use()
        target.clear()
        self._program["clip_from_world"].write(
            camera.clip_from_world().T.astype(np.float32).tobytes()
        )
        self._program["eye"] = tuple(camera.eye)
        self._lightmaps.use(1)
        self._draw_from(self.scene.level.space.cluster(camera.eye))
        pixels = _read(target, 0, np.uint8, size, 4)
        signed_depth = _read(target, 1, np.float32, size, 1)[..., 0]
        behind = signed_depth < 0
        return Rendering(
            camera=camera,
            colour=pixels[..., :3].copy(),
            depth=np.where(behind, np.float32(0), signed_depth),
            void=float((pixels[..., 3] < _DRAWN).mean()),
            inside_out=float(behind.mean()),
        )

    def _load(self, scene: Scene) -> None:
        import moderngl

        context = self._context
        context.enable(moderngl.DEPTH_TEST)
        # The picture is drawn upside down, which reverses the winding of every triangle.
        context.front_face = "cw"
        self._targets: dict[int, moderngl.Framebuffer] = {}
        self._program: Any = context.program(*programs())
        self._program["picture"], self._program["lightmaps"] = 0, 1
        height, width = scene.lightmaps.shape[:2]
        self._lightmaps = context.texture(
            (width, height), 3, scene.lightmaps.tobytes(), alignment=1
        )
        self._lightmaps.filter = (moderngl.LINEAR, moderngl.LINEAR)
        batches = sorted(scene.batches, key=lambda batch: (batch.style, batch.two_sided))
        starts = np.cumsum([0, *(len(batch.vertices) for batch in batches)])
        self._triangles = np.concatenate(
            [batch.triangles + start for batch, start in zip(batches, starts[:-1], strict=True)]
        ).astype(np.int32)
        self._faces = np.concatenate([batch.faces for batch in batches])
        self._ends = np.cumsum([len(batch.triangles) for batch in batches])
        self._looks = [
            (self._texture(batch.picture), batch.style, batch.two_sided) for batch in batches
        ]
        self._indices = context.buffer(self._triangles.tobytes(), dynamic=True)
        self._array = context.vertex_array(
            self._program,
            [
                (
                    context.buffer(np.concatenate([batch.vertices for batch in batches]).tobytes()),
                    "3f 2f 2f 3f",
                    "position",
                    "uv",
                    "lightmap_uv",
                    "light",
                )
            ],
            self._indices,
        )
        self._cluster: int | None = None
        self._visible_ends = self._ends

    def _texture(self, picture: NDArray[np.uint8]) -> "moderngl.Texture":
        import moderngl

        height, width = picture.shape[:2]
        texture = self._context.texture((width, height), 4, picture.tobytes())
        texture.build_mipmaps()
        texture.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
        return texture

    def _draw_from(self, cluster: int) -> None:
        """Draw what may be seen from `cluster`, material by material."""
        if cluster != self._cluster:
            visible = self.scene.level.space.visible(cluster)[self._faces]
            self._indices.write(self._triangles[visible].tobytes())
            self._visible_ends = np.cumsum(visible)[self._ends - 1]
            self._cluster = cluster
        first, set_to = 0, None
        for end, (texture, style, two_sided) in zip(self._visible_ends, self._looks, strict=True):
            if end > first:
                if set_to != (style, two_sided):
                    self._program["style"], self._program["two_sided"] = style, two_sided
                    set_to = (style, two_sided)
                texture.use(0)
                self._array.render(vertices=3 * int(end - first), first=3 * int(first))
            first = end

    def _target(self, size: int) -> "moderngl.Framebuffer":
        if size not in self._targets:
            self._targets[size] = self._context.framebuffer(
                [
                    self._context.texture((size, size), 4),
                    self._context.texture((size, size), 1, dtype="f4"),
                ],
                self._context.depth_renderbuffer((size, size)),
            )
        return self._targets[size]


def _read(
    target: "moderngl.Framebuffer", attachment: int, dtype: type[Any], size: int, channels: int
) -> NDArray[Any]:
    kind = "f4" if dtype is np.float32 else "f1"
    content = target.read(components=channels, attachment=attachment, dtype=kind, alignment=1)
    return np.frombuffer(content, dtype).reshape(size, size, channels)


def open_context() -> "moderngl.Context":
    """An OpenGL context without a window.

    Raises:
        DustError: there is none.
    """
    import moderngl

    try:
        # The library's own type hints declare every setting as a dictionary.
        return moderngl.create_context(standalone=True, backend="egl")  # type: ignore[arg-type]
    except Exception as error:
        raise DustError(
            f"no OpenGL context: {error}",
            fix="install EGL and a driver (on Debian: apt-get install libegl1 libgl1-mesa-dri)",
        ) from error
