"""Curved surfaces: biquadratic Bézier patches as triangles."""

import numpy as np
from numpy.typing import NDArray


def tessellate(
    control: NDArray[np.float32], steps: int = 6
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Cut a grid of 3x3 patches that share their borders into triangles.

    Args:
        control: (rows, columns, attributes) control points, rows and columns odd and at least 3;
            every attribute (position, texture coordinates, ...) is interpolated alike.
        steps: pieces along each side of one 3x3 patch.

    Returns:
        (V, attributes) vertices and (T, 3) triangles.

    Raises:
        ValueError: rows or columns are even or below 3.
    """
    rows, columns, attributes = control.shape
    if min(rows, columns) < 3 or rows % 2 == 0 or columns % 2 == 0:
        raise ValueError(
            f"a patch has an odd number >= 3 of control points a side, not {rows}x{columns}"
        )
    along = np.linspace(0.0, 1.0, steps + 1, dtype=np.float32)
    bernstein = np.stack([(1 - along) ** 2, 2 * along * (1 - along), along**2], axis=1)
    corner = np.arange((steps + 1) ** 2).reshape(steps + 1, steps + 1)
    a, b, c, d = corner[:-1, :-1], corner[:-1, 1:], corner[1:, :-1], corner[1:, 1:]
    one_patch = np.stack([a, c, b, c, d, b], axis=-1).reshape(-1, 3)

    vertices: list[NDArray[np.float32]] = []
    triangles = []
    for row in range(0, rows - 2, 2):
        for column in range(0, columns - 2, 2):
            patch = control[row : row + 3, column : column + 3]
            grid = np.einsum("ar,bc,rcx->abx", bernstein, bernstein, patch)
            triangles.append(one_patch + len(vertices) * corner.size)
            vertices.append(grid.reshape(-1, attributes))
    return np.concatenate(vertices), np.concatenate(triangles).astype(np.int32)
