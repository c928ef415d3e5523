"""A pair's graph cut in two, so that an image is encoded once for all its pairs."""

from pathlib import Path
from typing import TYPE_CHECKING

from dust_core.errors import DustError
from dust_core.network.onnx.graph import insert, read_graph, write_graph, writer

if TYPE_CHECKING:
    import onnx_ir as ir

FEATURES = "features"


def write_parts(graph: Path, encoder: Path, decoder: Path) -> None:
    """Write the two parts of a pair's graph, in whatever precision it computes.

    The encoder turns `image1` and `image2` into `features` (2 B, N, enc_dim), those of image1
    first. The decoder turns `features`, of any two images, into the outputs of the whole.

    Args:
        graph: as `onnx.export.export_onnx` writes it for images of one size; it may hold Q/DQ
            nodes.

    Raises:
        DustError: the file is no such graph, or a part cannot be written.
    """
    _write_encoder(read_graph(graph), graph, encoder)
    _write_decoder(read_graph(graph), graph, decoder)


def _write_encoder(model: "ir.Model", graph: Path, path: Path) -> None:
    import onnx_ir as ir

    cut = _cut(model, graph)
    # The cast marks where a variant of the graph in 16 bits returns to float32.
    features = insert(cut, "Cast", FEATURES, [cut.inputs[0]], to=ir.DataType.FLOAT)
    _type(features, cut.inputs[0])
    model.graph.outputs[:] = [features]
    write_graph(model, path)


def _write_decoder(model: "ir.Model", graph: Path, path: Path) -> None:
    import onnx_ir as ir

    cut = _cut(model, graph)
    features = ir.Value(name=FEATURES)
    _type(features, cut.inputs[0])
    cut.replace_input_with(0, features)
    model.graph.inputs[:] = [features]
    write_graph(model, path)


def _type(value: "ir.Value", like: "ir.Value | None") -> None:
    import onnx_ir as ir

    assert like is not None
    value.shape, value.type = like.shape, ir.TensorType(ir.DataType.FLOAT)


def _cut(model: "ir.Model", graph: Path) -> "ir.Node":
    """The node that parts both views' features: the only reader of the encoder's last LayerNorm."""
    from onnx_ir.passes import common

    common.ShapeInferencePass()(model)  # the exporter knows the shapes of some values only
    found = [
        node
        for node in model.graph
        if node.op_type == "Split"
        and node.attributes.get_int("axis", 0) == 0
        and (source := writer(node.inputs[0])) is not None
        and source.op_type == "LayerNormalization"
        and len(source.outputs[0].consumers()) == 1
    ]
    if len(found) != 1:
        raise DustError(
            "the graph has no place where both images are encoded and none is decoded",
            where=str(graph),
            fix="export the network with dust_core.network.onnx.export.export_onnx",
        )
    return found[0]
