"""What every test shares: no deadlines, and `gpu` tests only where there is a CUDA device."""

# DVC's log handlers keep the stream that they find when it is first imported. In a test that would
# be one that the runner of commands closes afterwards, and DVC's next message would raise.
import dvc  # noqa: F401
import pytest
from hypothesis import settings

# A busy machine is no fault of the code: an example may take as long as it takes.
settings.register_profile("dust", deadline=None)
settings.load_profile("dust")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests marked `gpu` on a machine without a CUDA device."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))
