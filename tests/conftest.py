"""What every test shares: a miniature, no deadlines, an order, `gpu` tests where there is a GPU."""

import sys
from collections import Counter
from pathlib import Path

# DVC's log handlers keep the stream that they find when it is first imported. In a test that would
# be one that the runner of commands closes afterwards, and DVC's next message would raise.
import dvc  # noqa: F401
import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))
from miniature_repository import evaluated, miniature  # noqa: F401 (fixtures of many tests)

# A busy machine is no fault of the code: an example may take as long as it takes.
settings.register_profile("dust", deadline=None)
settings.load_profile("dust")


def pytest_configure(config: pytest.Config) -> None:
    """Keep our order of the files where several processes share them (xdist has its own)."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, and skip `gpu` tests without a CUDA device.

    A long file that a process takes up last would keep the others waiting for it.
    """
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))
