"""Colours of any space, with or without a profile, as opaque sRGB."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

_SPACES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}
_HALF = 128  # a pixel is shown if it is at least half opaque

Opaque = NDArray[np.bool_]


def split_alpha(image: Image.Image) -> tuple[Image.Image, Opaque | None]:
    """A picture without transparency, on black, and which of its pixels are shown.

    Returns:
        The picture, and (H, W); None if all pixels are opaque.
    """
    if not image.has_transparency_data:
        return image, None
    grey = image.mode in ("LA", "La")
    whole = image.convert("LA" if grey else "RGBA")
    alpha = whole.getchannel("A")
    colours = whole.convert("L" if grey else "RGB")
    if alpha.getextrema()[0] == 255:
        return colours, None
    black = Image.new(colours.mode, colours.size)
    return Image.composite(colours, black, alpha), np.asarray(alpha) >= _HALF


def to_srgb(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, str | None]:
    """An opaque picture as RGB with the primaries and the curve of sRGB.

    Args:
        profile: its embedded ICC profile; without one, RGB and grey are sRGB, and CMYK is the
            complement.

    Returns:
        The picture, and a remark where the profile changed the colours or is of no use.
    """
    if image.mode not in _SPACES.values():
        image = image.convert("RGB")
    if profile:
        try:
            return _by_profile(image, profile)
        except Exception as error:  # ImageCms passes on what LittleCMS and struct raise
            reason = str(error).partition("\n")[0] or type(error).__name__
            return _without_profile(image), f"its colour profile is ignored: {reason}"
    return _without_profile(image), None


def _by_profile(image: Image.Image, content: bytes) -> tuple[Image.Image, str | None]:
    profile = ImageCms.ImageCmsProfile(io.BytesIO(content))
    name = (profile.profile.profile_description or "an unnamed profile").strip()
    space = _SPACES.get(profile.profile.xcolor_space.strip())
    if space == "RGB" and image.mode == "L":
        image = image.convert("RGB")
    if space != image.mode:
        raise ValueError(f"{name} is for {profile.profile.xcolor_space.strip()}, not {image.mode}")
    if space == "RGB" and name.startswith("sRGB"):
        return image, None  # its own numbers, not those of a conversion to itself
    converted = ImageCms.profileToProfile(
        image,
        profile,
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    if converted is None:
        raise ValueError(f"{name} cannot be converted")
    return converted, f"colours are converted from {name} to sRGB"


def _without_profile(image: Image.Image) -> Image.Image:
    if image.mode == "LAB":
        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
        assert converted is not None
        return converted
    return image.convert("RGB")
