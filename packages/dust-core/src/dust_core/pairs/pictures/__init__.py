"""Colour pictures as people have them, read in one way for all verbs and importers."""

from dust_core.pairs.pictures.formats import FORMATS, PictureFormat, format_of, kind_of
from dust_core.pairs.pictures.read import Picture, picture_size, read_picture

__all__ = [
    "FORMATS",
    "Picture",
    "PictureFormat",
    "format_of",
    "kind_of",
    "picture_size",
    "read_picture",
]
