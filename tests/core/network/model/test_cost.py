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
