"""Values that are not finite."""

from collections.abc import Iterable

import numpy as np

from dust_eval.arrays import Floats


def count_non_finite(arrays: Iterable[Floats]) -> int:
    """How many values of all the arrays are NaN or infinite."""
    return sum(int(np.count_nonzero(~np.isfinite(array))) for array in arrays)
