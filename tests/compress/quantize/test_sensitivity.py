"""How far the points of a quantized network are from those of the float network."""

import pytest
import torch

from dust_compress.quantize.calibrate import lengths, relative_shift


def test_a_shift_is_the_mean_share_of_both_pointmaps() -> None:
    first, second = torch.full((1, 2, 2, 3), 2.0), torch.full((1, 2, 2, 3), -4.0)
    ignored = torch.full((1, 2, 2), 9.0)
    reference = [(points, lengths(points)) for points in (first, second)]
    same = (first, ignored, second, ignored)
    assert relative_shift(same, reference) == 0
    # The first points move by a tenth of their length, a quarter of the second by all of it.
    gone = second.clone()
    gone[0, 0, 0] = 0
    moved = (1.1 * first, ignored, gone, ignored)
    assert relative_shift(moved, reference) == pytest.approx((0.1 + 0.25) / 2)


def test_lengths_do_not_depend_on_the_layout_in_memory() -> None:
    planes = torch.tensor([[3.0, 0.0], [4.0, 5.0], [0.0, 12.0]]).T
    assert lengths(planes).tolist() == lengths(planes.contiguous()).tolist() == [5, 13]
