"""Predictions as pictures, beside the truth."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dust_core.pairs.geometry import transform
from dust_core.pairs.shards.contact_sheet import depth_picture
from dust_eval.quality.depth import median_scale
from dust_eval.quality.workload import Sample
from dust_eval.runtimes import PairModel

COLUMNS = (
    "view 1",
    "view 2",
    "true depth 1",
    "predicted depth 1",
    "true depth 2",
    "predicted depth 2",
)
"""What the columns of `compare` are; depths are of view 1 and of view 2."""
BAND = 24
"""Pixels of the height of the band that `label` puts above the columns and above each row."""


def compare(network: PairModel, samples: Sequence[Sample]) -> Image.Image:
    """Predictions beside the truth, a row for each pair.

    A row has both images, true and predicted depth of view 1, and true and predicted depth of
    view 2 in its own camera, in the colours of the true depths. Unknown depth is grey.
    """
    rows = []
    for sample in samples:
        truth, predicted = sample.truth, network(*sample.images)
        known = truth.depth_1 > 0
        scale = median_scale(predicted.pts3d_1[0][known][:, 2], truth.depth_1[known])
        flat = scale * predicted.pts3d_2[0].reshape(-1, 3).astype(np.float64)
        own = transform(np.linalg.inv(truth.view1_from_view2), flat)[:, 2]
        tiles = [
            ((image[0].transpose(1, 2, 0) + 1) * 127.5).round().astype(np.uint8)
            for image in sample.images
        ]
        for true, guess in (
            (truth.depth_1, scale * predicted.pts3d_1[0][..., 2]),
            (truth.depth_2, own.reshape(truth.depth_2.shape)),
        ):
            shown = np.where(true > 0, np.maximum(guess, 1e-3), 0)
            tiles += [depth_picture(true), depth_picture(shown, like=true)]
        rows.append(np.concatenate(tiles, axis=1))
    picture = Image.fromarray(np.concatenate(rows))
    return picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.BOX)


def label(picture: Image.Image, captions: Sequence[str]) -> Image.Image:
    """The picture of `compare` with the names of its columns, and a caption above each row."""
    width, height = picture.width // len(COLUMNS), picture.height // len(captions)
    whole = Image.new("RGB", (picture.width, BAND + len(captions) * (BAND + height)), "white")
    pen = ImageDraw.Draw(whole)
    font = ImageFont.load_default(min(15, width // 9))
    for number, column in enumerate(COLUMNS):
        pen.text(((number + 0.5) * width, BAND / 2), column, "black", font, anchor="mm")
    for number, caption in enumerate(captions):
        top = BAND + number * (BAND + height)
        pen.text((6, top + BAND / 2), caption, "black", font, anchor="lm")
        row = picture.crop((0, number * height, picture.width, (number + 1) * height))
        whole.paste(row, (0, top + BAND))
    return whole
