"""Predictions as pictures, beside the truth."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from dust_core.pairs.geometry import transform
from dust_core.pairs.shards.contact_sheet import depth_picture
from dust_eval.quality.depth import median_scale
from dust_eval.quality.workload import Sample
from dust_eval.runtimes import PairModel


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
