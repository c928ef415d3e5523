"""Networks that have a name."""

from dust_core.network.model.config import Dust3rConfig, HeadType


def _published(head: HeadType) -> Dust3rConfig:
    """The shape of the published networks: ViT-L encoder, two ViT-B decoders."""
    return Dust3rConfig.uniform(
        enc_dim=1024,
        enc_depth=24,
        enc_heads=16,
        dec_dim=768,
        dec_depth=12,
        dec_heads=12,
        head=head,
    )


CONFIGS: dict[str, Dust3rConfig] = {
    "DUSt3R_ViTLarge_BaseDecoder_224_linear": _published("linear"),
    "DUSt3R_ViTLarge_BaseDecoder_512_linear": _published("linear"),
    "DUSt3R_ViTLarge_BaseDecoder_512_dpt": _published("dpt"),
    # The embedded teacher. Patches of 32 pixels make 256 tokens of a 512x512 image: a pair costs a
    # fifth of what it would at 16, so that the whole main line runs on a laptop.
    "small": Dust3rConfig.uniform(
        enc_dim=256,
        enc_depth=6,
        enc_heads=4,
        dec_dim=192,
        dec_depth=4,
        dec_heads=3,
        head="linear",
        patch_size=32,
    ),
    # For tests and the `ci` profile.
    "tiny": Dust3rConfig.uniform(
        enc_dim=64,
        enc_depth=2,
        enc_heads=4,
        dec_dim=48,
        dec_depth=2,
        dec_heads=3,
        head="linear",
        patch_size=32,
    ),
}
