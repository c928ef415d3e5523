"""Both orders of a pair from one encoding, and the truth that goes with them."""

import numpy as np
import torch

from dust_compress.train.pairs import predict_both_orders, supervise, supervise_both_orders
from dust_core.network.model import Dust3r, Dust3rConfig
from dust_core.pairs.feed.feed import PairBatch
from dust_core.pairs.geometry import transform, unproject

TINY = Dust3rConfig.uniform(
    enc_dim=32, enc_depth=1, enc_heads=2, dec_dim=32, dec_depth=2, dec_heads=2, head="linear"
)


def batch(pairs: int = 2, side: int = 32) -> PairBatch:
    generator = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator)

    angle = 0.3
    pose = torch.eye(4).repeat(pairs, 1, 1)
    pose[:, 0, 0] = pose[:, 2, 2] = float(np.cos(angle))
    pose[:, 0, 2], pose[:, 2, 0] = float(np.sin(angle)), -float(np.sin(angle))
    pose[:, :3, 3] = torch.tensor([0.5, -0.2, 0.1])
    intrinsics = torch.tensor([[40.0, 0, 15.5], [0, 42.0, 14.0], [0, 0, 1]]).repeat(pairs, 1, 1)
    depths = [drawn(pairs, side, side) + 1 for _ in range(2)]
    depths[0][:, :3] = 0
    images = [2 * drawn(pairs, 3, side, side) - 1 for _ in range(2)]
    return PairBatch(*images, *depths, intrinsics, 1.1 * intrinsics, pose)


def test_truth_is_the_unprojected_depth_in_view_1s_frame() -> None:
    pairs = batch()
    points, mask = supervise(pairs)
    first = unproject(pairs.depth1[0].numpy(), pairs.intrinsics1[0].numpy())
    second = unproject(pairs.depth2[0].numpy(), pairs.intrinsics2[0].numpy())
    moved = transform(pairs.view1_from_view2[0].numpy(), second)
    np.testing.assert_allclose(points.view1[0], first, atol=1e-5)
    np.testing.assert_allclose(points.view2[0], moved.reshape(points.view2[0].shape), atol=1e-5)
    assert not mask.view1[:, :3].any() and mask.view1[:, 3:].all() and mask.view2.all()


def test_the_second_half_is_the_pair_with_its_views_exchanged() -> None:
    pairs = batch()
    points, mask = supervise_both_orders(pairs)
    back = torch.linalg.inv(pairs.view1_from_view2)
    expected = torch.einsum("bij,bhwj->bhwi", back[:, :3, :3], points.view1[:2])
    expected = expected + back[:, None, None, :3, 3]
    torch.testing.assert_close(points.view2[2:], expected, atol=1e-5, rtol=1e-5)
    assert torch.equal(mask.view2[2:], mask.view1[:2])


def test_predictions_of_both_orders_are_those_of_two_calls() -> None:
    torch.manual_seed(0)
    network = Dust3r(TINY).eval()
    pairs = batch()
    with torch.no_grad():
        both = predict_both_orders(network, pairs.image1, pairs.image2)
        forth = network(pairs.image1, pairs.image2)
        back = network(pairs.image2, pairs.image1)
    for joint, first, second in zip(both, forth, back, strict=True):
        torch.testing.assert_close(joint, torch.cat([first, second]), atol=1e-4, rtol=1e-4)
