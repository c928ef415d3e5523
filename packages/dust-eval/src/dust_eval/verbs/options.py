"""Options that several verbs share."""

from pathlib import Path
from typing import Annotated, Literal

import typer

LEAST_SIDE = 64
"""Pixels: smaller images show nothing."""

ModelOption = Annotated[
    Path,
    typer.Option(
        help="A checkpoint .pth, a hub's folder, a graph .onnx, an engine .trt.",
    ),
]
SideOption = Annotated[
    int | None,
    typer.Option(
        min=LEAST_SIDE, max=1024, help="Side of the images, pixels; default: 512, or a graph's."
    ),
]
ModeOption = Annotated[
    Literal["crop", "letterbox"], typer.Option(help="How photographs become squares.")
]
AspectOption = Annotated[
    Literal["square", "native"],
    typer.Option(help="Squares, or the pictures' own shape; --side is then the longer side."),
]
MasksOption = Annotated[
    Path | None,
    typer.Option(help="A folder of masks named as the pictures; what is black is no point."),
]
ConfidenceOption = Annotated[
    float | None,
    typer.Option(min=1.0, help="Least confidence of a point; default: 3, or the median."),
]
NarrowOption = Annotated[bool, typer.Option("--bf16", help="Float operations in bf16.")]
ThreadsOption = Annotated[int, typer.Option(min=1, help="CPU threads.")]
