"""A pair model made of a graph, its inputs and outputs bound by name."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from dust_core.errors import DustError, last_line
from dust_eval.arrays import Floats
from dust_eval.runtimes.base import Graph, PairOutput, Shape

INPUTS = ("image1", "image2")
OUTPUTS = PairOutput._fields
_IMAGE_RANK, _COLOURS = 4, 3
_EXPORT = "export the network with dust_core.network.onnx.export.export_onnx"


class GraphModel:
    """A graph that has the inputs and outputs of a network.

    Args:
        graph: the loaded graph.
        path: its file, for messages.

    Raises:
        DustError: an input or output is missing, unknown, or of another shape than a pair's.
    """

    def __init__(self, graph: Graph, path: Path) -> None:
        self.size = pair_size(graph, path)
        self.graph, self._where = graph, str(path)
        self.runtime, self.version = graph.runtime, graph.version
        self.options, self.precision, self.clock = graph.options, graph.precision, graph.clock

    def __call__(self, image1: Floats, image2: Floats) -> PairOutput:
        self.prepare(image1, image2)
        self.execute()
        return PairOutput(*self.graph.read(OUTPUTS))

    def prepare(self, image1: Floats, image2: Floats) -> None:
        images = (np.ascontiguousarray(image, np.float32) for image in (image1, image2))
        self.graph.bind(dict(zip(INPUTS, images, strict=True)))

    def execute(self) -> None:
        """Run once.

        Raises:
            DustError: the runtime gives up.
        """
        try:
            self.graph.execute()
        except DustError:
            raise
        except Exception as error:  # each runtime has exceptions of its own
            raise DustError(
                f"{self.runtime} cannot run the graph: {last_line(error)}",
                where=self._where,
                fix=_EXPORT,
            ) from error


def pair_size(graph: Graph, path: Path) -> tuple[int, int]:
    """Height and width of the images that a pair's graph takes.

    Raises:
        DustError: see `GraphModel`.
    """
    if set(graph.inputs) != set(INPUTS):
        raise _unfit("inputs", graph.inputs, INPUTS, path)
    if not set(OUTPUTS) <= set(graph.outputs):
        raise _unfit("outputs", graph.outputs, OUTPUTS, path)
    image = graph.inputs[INPUTS[0]]
    if len(image) != _IMAGE_RANK or image[1] != _COLOURS:
        raise _misshapen(INPUTS[0], image, "a batch of images with 3 colours", path)
    if min(image) < 1:
        raise _misshapen(INPUTS[0], image, "a static shape", path)
    batch, _, height, width = image
    points, confidences = (batch, height, width, 3), (batch, height, width)
    expected = dict(zip(OUTPUTS, (points, confidences, points, confidences), strict=True))
    for name, shape in {INPUTS[1]: image, **expected}.items():
        given = graph.inputs[name] if name in graph.inputs else graph.outputs[name]
        if given != shape:
            raise _misshapen(name, given, f"{_by(shape)}, to go with {INPUTS[0]}", path)
    return height, width


def require_float(name: str, given: str, expected: str, path: Path) -> None:
    """Prove that an input or output holds 32-bit floats, which is what runs are bound to.

    Raises:
        DustError: it holds something else.
    """
    if given != expected:
        raise DustError(f"{name} holds {given}, not 32-bit floats", where=str(path), fix=_EXPORT)


def _unfit(kind: str, given: Iterable[str], expected: Iterable[str], path: Path) -> DustError:
    return DustError(
        f"the graph has the {kind} {', '.join(given)}; a network has {', '.join(expected)}",
        where=str(path),
        fix=_EXPORT,
    )


def _misshapen(name: str, given: Shape, expected: str, path: Path) -> DustError:
    return DustError(
        f"{name} has the shape {_by(given)}, not {expected}", where=str(path), fix=_EXPORT
    )


def _by(shape: Shape) -> str:
    return "x".join("?" if side < 0 else str(side) for side in shape)
