"""Draw the README's picture: two photographs, their depth by teacher and INT8, and the cloud.

    python docs/overview.py [--out docs/images/overview.png]

The pair is the one whose delta1 by the INT8 student is the median of the workload's, so neither the
best nor the worst. Both networks are those of `artifacts/small` ('dvc pull' fetches them).
"""

import argparse
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from dust_core.declared.records import read_result_file
from dust_core.declared.specs import load_specs, resolve
from dust_core.pairs.shards.contact_sheet import depth_picture
from dust_eval.measure.samples import workload_samples
from dust_eval.quality.depth import median_scale
from dust_eval.quality.workload import Sample
from dust_eval.runtimes import PairModel, RuntimeOptions, load_any

ROOT = Path(__file__).parents[1]
ARTIFACTS = ROOT / "artifacts" / "small"
SIDE, GAP, LINE = 300, 8, 30  # pixels
TURN, LIFT = 0.45, 0.30  # radians: where the cloud is looked at from, beside view 1

Picture = NDArray[np.uint8]


def median_pair() -> int:
    """The number of the pair with the median delta1 of the INT8 student, from its record."""
    (candidate,) = read_result_file(ARTIFACTS / "kq_eval.json").candidates
    values = candidate.provenance.per_pair["delta1"]
    return sorted(range(len(values)), key=values.__getitem__)[len(values) // 2]


def photograph(image: NDArray[np.float32]) -> Picture:
    """(1, 3, H, W) in [-1, 1] as (H, W, 3) bytes."""
    return ((image[0].transpose(1, 2, 0) + 1) * 127.5).round().astype(np.uint8)


def tiles(sample: Sample, teacher: PairModel, int8: PairModel) -> Iterator[tuple[str, Picture]]:
    """The pictures of the row, each with what it shows."""
    truth, known = sample.truth.depth_1, sample.truth.depth_1 > 0
    views = [photograph(image) for image in sample.images]
    yield from zip(("photograph 1", "photograph 2"), views, strict=True)
    for name, network in (("depth 1, teacher in FP32", teacher), ("depth 1, INT8 student", int8)):
        predicted = network(*sample.images)
        depth = predicted.pts3d_1[0][..., 2]
        scale = median_scale(depth[known], truth[known])
        yield name, depth_picture(np.maximum(scale * depth, 1e-3), like=truth)
    points = np.concatenate(
        [predicted.pts3d_1[0].reshape(-1, 3), predicted.pts3d_2[0].reshape(-1, 3)]
    )
    yield (
        "cloud of the INT8 student",
        cloud(points, np.concatenate([v.reshape(-1, 3) for v in views])),
    )


def cloud(points: NDArray[np.float32], colours: Picture) -> Picture:
    """The points as a camera above and beside view 1 sees them, on white.

    Args:
        points: (N, 3), in view 1's frame: x right, y down, z forward.
        colours: (N, 3).
    """
    centre = np.median(points, axis=0)
    about_y = [[np.cos(TURN), 0, np.sin(TURN)], [0, 1, 0], [-np.sin(TURN), 0, np.cos(TURN)]]
    about_x = [[1, 0, 0], [0, np.cos(LIFT), -np.sin(LIFT)], [0, np.sin(LIFT), np.cos(LIFT)]]
    seen = (points - centre) @ np.array(about_y).T @ np.array(about_x).T + [0, 0, 1.9 * centre[2]]
    side = 2 * SIDE
    pixels = (side * (0.5 + 0.72 * seen[:, :2] / seen[:, 2:])).astype(int)
    order = np.argsort(-seen[:, 2])  # near points cover far ones
    order = order[((pixels[order] > 0) & (pixels[order] < side - 2)).all(1) & (seen[order, 2] > 0)]
    canvas = np.full((side, side, 3), 255, np.uint8)
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):  # a point covers four pixels
        canvas[pixels[order, 1] + down, pixels[order, 0] + right] = colours[order]
    return canvas


def row(shown: Iterator[tuple[str, Picture]]) -> Image.Image:
    """The pictures side by side, each above its name."""
    members = list(shown)
    width = len(members) * (SIDE + GAP) - GAP
    sheet = Image.new("RGB", (width, SIDE + LINE), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=16)
    for number, (name, picture) in enumerate(members):
        left = number * (SIDE + GAP)
        sheet.paste(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BOX), (left, 0))
        pen.text((left + SIDE // 2, SIDE + LINE // 2), name, "#333", font, anchor="mm")
    return sheet


def main() -> None:
    """Draw the row and write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images" / "overview.png")
    options = parser.parse_args()
    task = resolve(load_specs(ROOT / "specs"), "KQ-3", "small")
    number = median_pair()
    (sample,) = islice(workload_samples(task), number, number + 1)
    teacher = load_any(ARTIFACTS / "teacher_fp32.pth", RuntimeOptions(threads=2))
    int8 = load_any(ARTIFACTS / "student_int8.onnx", RuntimeOptions(precision="bf16", threads=2))
    sheet = row(tiles(sample, teacher, int8))
    sheet.quantize(256, Image.Quantize.MEDIANCUT).save(options.out, optimize=True)
    print(f"{options.out}: pair {number}, {options.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
