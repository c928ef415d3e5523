"""Numbers of any depth as 8 bits a channel."""

import numpy as np
from numpy.typing import NDArray

_DEPTHS = (8, 10, 12, 14, 16)  # bits that cameras and scanners have
_UNIT = 2.0  # floats up to here are shares of white, with room for overshoot
_BELOW = -0.05  # undershoot of a resampled picture


def in_eight_bits(values: NDArray[np.generic]) -> tuple[NDArray[np.uint8], str | None]:
    """Whole or floating numbers as uint8, and what had to be assumed, if anything.

    Files say how many bits a number takes, not how many are used: cameras store 12 bits in 16. The
    largest number decides which of 8, 10, 12, 14 and 16 bits are used. Floats up to 1 are shares
    of white; beyond that they are taken for whole numbers.

    Raises:
        ValueError: the numbers have no scale that is known: NaN, negative, or beyond 16 bits.
    """
    if values.dtype == np.uint8:
        return values.astype(np.uint8), None
    if values.dtype == np.bool_:
        return np.where(values, 255, 0).astype(np.uint8), None
    floating = values.dtype.kind == "f"
    if floating and not np.isfinite(values).all():
        raise ValueError("its numbers include NaN or infinity")
    least, most = values.min(), values.max()
    if least < (_BELOW if floating else 0):
        raise ValueError(f"its numbers go down to {least:g}; colours are not negative")
    if floating and most <= _UNIT:
        return _scaled(values, 1.0), None if most <= 1 else "floats over 1 are taken for white"
    bits = next((bits for bits in _DEPTHS if most < 2**bits), None)
    if bits is None:
        raise ValueError(f"its numbers go up to {most:g}; beyond 65,535 the white is not known")
    kind = "floats" if floating else f"{8 * values.dtype.itemsize}-bit numbers"
    usual = bits == 8 * values.dtype.itemsize or most == 0
    said = None if usual else f"{kind} up to {most:,.6g} are taken for {bits} bits"
    return _scaled(values, 2**bits - 1), said


def _scaled(values: NDArray[np.generic], white: float) -> NDArray[np.uint8]:
    """Rounded to 255 steps; in strips, since floats take eight times the memory of the result."""
    result = np.empty(values.shape, np.uint8)
    for row in range(0, len(values), 256):
        strip = values[row : row + 256].astype(np.float32) * (255 / white)
        result[row : row + 256] = np.clip(np.rint(strip), 0, 255)
    return result
