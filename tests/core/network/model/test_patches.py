from dataclasses import replace

import pytest
import torch
from torch.nn.functional import interpolate

from dust_core.network.model import DptConfig, Dust3r, Dust3rConfig, Features
from dust_core.network.surgery.patches import enlarge_patches, shrink_patches


def network(head: str = "linear") -> Dust3r:
    torch.manual_seed(0)
    config = Dust3rConfig.uniform(
        enc_dim=32,
        enc_depth=2,
        enc_heads=2,
        dec_dim=24,
        dec_depth=1,
        dec_heads=3,
        head=head,
        dpt=DptConfig(layer_dims=(4, 4, 4, 4), feature_dim=4, last_dim=4),
    )
    return Dust3r(config).eval()


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_repeated_pixels_give_the_repeated_prediction(factor: int) -> None:
    small = network()
    large = enlarge_patches(small, factor)
    pair = torch.rand(2, 1, 3, 32, 48, generator=torch.Generator().manual_seed(1)) * 2 - 1
    repeated = pair.repeat_interleave(factor, -1).repeat_interleave(factor, -2)
    with torch.inference_mode():
        expected, resized = small(*pair), large(*repeated)
    assert large.config.patch_size == 16 * factor
    for a, b in zip(expected, resized, strict=True):
        rows = a.repeat_interleave(factor, 1).repeat_interleave(factor, 2)
        torch.testing.assert_close(b, rows, rtol=1e-4, atol=1e-5)


def test_a_dpt_head_predicts_at_the_small_side_and_is_scaled_up() -> None:
    small = network("dpt")
    large = enlarge_patches(small, 2)
    pair = torch.rand(2, 1, 3, 48, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    repeated = pair.repeat_interleave(2, -1).repeat_interleave(2, -2)
    with torch.inference_mode():
        raw, larger = raw_of(small, pair), raw_of(large, repeated)
    assert larger.shape == (1, 4, 96, 128)
    doubled = interpolate(raw, scale_factor=2.0, mode="bilinear", align_corners=False)
    torch.testing.assert_close(larger, doubled, rtol=1e-4, atol=1e-5)


def test_a_dpt_head_keeps_patches_of_multiples_of_16() -> None:
    with pytest.raises(ValueError, match="patch_size is 8, must be a multiple of 16"):
        shrink_patches(network("dpt"), 2)


def raw_of(network: Dust3r, pair: torch.Tensor) -> torch.Tensor:
    """What the first head says of a pair, before its activation."""
    features = network.encode(pair.flatten(0, 1))
    first, second = (Features(tokens, features.grid) for tokens in features.tokens.split(1))
    outputs, _ = network.decoder_outputs(first, second)
    raw: torch.Tensor = network.downstream_head1(outputs, features.grid)
    return raw


def test_a_factor_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="factor is 0, must be at least 1"):
        enlarge_patches(network(), 0)


def test_shrinking_undoes_enlarging() -> None:
    small = network()
    again = shrink_patches(enlarge_patches(small, 2), 2)
    for name, value in small.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value)


def test_a_shrunk_network_makes_the_same_tokens_of_repeated_pixels() -> None:
    torch.manual_seed(0)
    large = Dust3r(replace(network().config, patch_size=32)).eval()
    image = torch.rand(1, 3, 32, 48) * 2 - 1
    repeated = image.repeat_interleave(2, -1).repeat_interleave(2, -2)
    with torch.inference_mode():
        expected, resized = large.encode(repeated), shrink_patches(large, 2).encode(image)
    torch.testing.assert_close(resized.tokens, expected.tokens, rtol=1e-4, atol=1e-5)


def test_details_survive_the_way_down_and_up() -> None:
    torch.manual_seed(0)
    large = Dust3r(replace(network().config, patch_size=32)).eval()
    again = enlarge_patches(shrink_patches(large, 2), 2, detail=large)
    for name, value in large.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value)


def test_only_what_divides_a_patch_shrinks_it() -> None:
    with pytest.raises(ValueError, match="factor is 3, must divide 16"):
        shrink_patches(network(), 3)
