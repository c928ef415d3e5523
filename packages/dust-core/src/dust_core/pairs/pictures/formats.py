"""The formats of pictures that are read, told apart by their first bytes and never by a name."""

import re
from dataclasses import dataclass

from dust_core.stand_ins import DVC, GIT_LFS, WEB_PAGE

HEAD = 64
"""Bytes at the start of a file that tell its format."""


@dataclass(frozen=True)
class PictureFormat:
    """A format of colour pictures.

    Attributes:
        name: as people call it.
        plugins: names of the Pillow plugins that read it, and no others may try.
        densest: the most pixels that a byte of a file can hold; None where there is no bound.
            A file that claims more is damaged, and its memory is never asked for.
    """

    name: str
    plugins: tuple[str, ...]
    densest: float | None = None


JPEG = PictureFormat("JPEG", ("JPEG", "MPO"), 512)  # a bit a block of 8x8 at the least
PNG = PictureFormat("PNG", ("PNG",), 1032 * 8)  # deflate's bound, a bit a pixel
TIFF = PictureFormat("TIFF", ("TIFF",))
WEBP = PictureFormat("WebP", ("WEBP",))
HEIF = PictureFormat("HEIC", ("HEIF",))
AVIF = PictureFormat("AVIF", ("AVIF",))
JPEG_2000 = PictureFormat("JPEG 2000", ("JPEG2000",))
GIF = PictureFormat("GIF", ("GIF",), 4096)
BMP = PictureFormat("BMP", ("BMP",), 255)
PNM = PictureFormat("PNM", ("PPM",), 8)

FORMATS = (JPEG, PNG, TIFF, WEBP, HEIF, AVIF, JPEG_2000, GIF, BMP, PNM)

_STARTS: tuple[tuple[bytes, PictureFormat], ...] = (
    (rb"\xff\xd8\xff", JPEG),
    (rb"\x89PNG\r\n\x1a\n", PNG),
    (rb"II[\x2a\x2b]\x00|MM\x00[\x2a\x2b]", TIFF),
    (rb"RIFF....WEBP", WEBP),
    (rb"....ftyp(?:avif|avis|mif1.{4}(?:.{4})*?avif)", AVIF),
    (rb"....ftyp(?:hei[cxms]|hev[cxms]|mif1|msf1)", HEIF),
    (rb"\x00\x00\x00\x0cjP  |\xff\x4f\xff\x51", JPEG_2000),
    (rb"GIF8[79]a", GIF),
    (rb"BM.{8}", BMP),
    (rb"P[1-6]\s", PNM),
)

VIDEO = "a video"
_RAW = "a camera's raw file"
# What lies beside pictures or is taken for one, and what to call it.
_STRANGERS: tuple[tuple[bytes, str], ...] = (
    (rb"$", "an empty file"),
    (GIT_LFS, "a Git LFS pointer, not the file: `git lfs pull`"),
    (DVC, "a DVC pointer, not the file: `dvc pull`"),
    (WEB_PAGE, "a web page, not the file behind it"),
    (rb"(?:\xef\xbb\xbf)?\s*<(?:\?xml|svg)", "XML or SVG"),
    (rb"II\x2a\x00.{4}CR|IIR[OS]|MMOR|IIU\x00|FUJIFILMCCD-RAW|FOVb|....ftypcrx ", _RAW),
    (rb"%PDF", "a PDF"),
    (rb"8BPS", "a Photoshop file"),
    (rb"\x89PNG", "a PNG that was sent as text, which rewrote its line ends"),
    (rb"\x76\x2f\x31\x01", "an OpenEXR picture"),
    (rb"#\?RADIANCE|#\?RGBE", "a Radiance HDR picture"),
    (rb"\xff\x0a|\x00\x00\x00\x0cJXL ", "a JPEG XL picture"),
    (rb"....(?:ftyp|moov|mdat|wide)|\x1a\x45\xdf\xa3|RIFF....AVI ", VIDEO),
    (rb"PK\x03\x04", "a zip archive"),
    (rb"\x1f\x8b", "a gzip archive"),
    (rb"\x93NUMPY", "a NumPy array"),
    (rb"P[fF]\s", "a PFM map"),
    (rb"ply\r?\n", "a PLY cloud"),
)


def format_of(head: bytes) -> PictureFormat | None:
    """The format of a picture whose file starts with `head`; None if it is no picture we read.

    Args:
        head: the first `HEAD` bytes, or all of a shorter file.
    """
    if kind_of(head) == _RAW:
        return None
    return next((kind for start, kind in _STARTS if re.match(start, head, re.DOTALL)), None)


def kind_of(head: bytes) -> str:
    """What a file that is no picture is, in words, as far as its first bytes tell."""
    for start, words in _STRANGERS:
        if re.match(start, head, re.DOTALL):
            return words
    printable = not re.search(rb"[\x00-\x08\x0e-\x1f]", head)
    return "a text" if printable else "in no format of pictures that is known here"


def names() -> str:
    """The formats, for a message."""
    return ", ".join(kind.name for kind in FORMATS)
