import pytest

from dust_core.network.model import Dust3r, Dust3rConfig
from dust_core.network.model.cost import flops_giga


def test_flops_are_those_of_every_product_attention_included() -> None:
    config = Dust3rConfig.uniform(
        enc_dim=32, enc_depth=1, enc_heads=2, dec_dim=16, dec_depth=1, dec_heads=2, head="linear"
    )
    tokens = 16  # a 64x64 image in patches of 16
    encoder = 3 * 256 * 32 + 12 * 32**2 + 2 * tokens * 32
    decoder = 32 * 16 + 16 * 16**2 + 2 * 2 * tokens * 16 + 16 * 1024
    products = 2 * tokens * (encoder + decoder)  # of two views
    assert flops_giga(Dust3r(config), 64, 64) == pytest.approx(2 * products / 1e9)


def test_another_shape_or_size_is_counted_anew() -> None:
    shape = {"enc_dim": 16, "enc_depth": 1, "enc_heads": 2, "dec_dim": 16, "dec_heads": 2}
    shallow, deep = (
        Dust3r(Dust3rConfig.uniform(**shape, dec_depth=depth, head="linear")) for depth in (1, 2)
    )
    counts = [
        flops_giga(network, height, width)
        for network in (shallow, deep)
        for height, width in ((32, 32), (32, 64))
    ]
    assert len(set(counts)) == 4
