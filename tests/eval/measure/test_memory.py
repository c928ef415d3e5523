"""Device memory is counted for one subject, whoever allocates it."""

from collections.abc import Callable

import pytest

from dust_eval.measure.memory import CudaMemory, SubjectMemory, process_peak_gb

GB = 10**9


class Device:
    """A simulated GPU: torch's tensors in torch's cache, and memory that others take."""

    def __init__(self) -> None:
        self.tensors = self.cache = self.peak = self.others = 0

    def by_torch(self, size: int) -> None:
        self.tensors += size
        self.cache = max(self.cache, self.tensors)
        self.peak = max(self.peak, self.tensors)

    def settle(self) -> None:
        self.cache = self.peak = self.tensors

    def used(self) -> int:
        return self.cache + self.others

    def reserved(self) -> int:
        return self.cache

    def allocated(self) -> int:
        return self.tensors

    def peak_allocated(self) -> int:
        return self.peak


def torch_network(device: Device) -> None:
    device.by_torch(3 * GB)  # weights
    device.by_torch(2 * GB)  # activations
    device.by_torch(-2 * GB)


def engine(device: Device) -> None:
    device.others += 4 * GB  # weights and workspace
    device.by_torch(1 * GB)  # inputs and outputs


@pytest.mark.parametrize(("load", "size"), [(torch_network, 5 * GB), (engine, 5 * GB)])
def test_what_a_subject_takes_is_counted_within_torch_and_outside(
    load: Callable[[Device], None], size: int
) -> None:
    device = Device()
    with SubjectMemory(device) as memory:
        load(device)
    assert memory.peak_bytes == size


def test_what_was_loaded_before_is_not_the_next_subjects() -> None:
    device = Device()
    sizes = []
    for load in (torch_network, engine, torch_network):
        with SubjectMemory(device) as memory:
            load(device)
        sizes.append(memory.peak_bytes)
    assert sizes == [5 * GB, 5 * GB, 5 * GB]


def test_what_torch_caches_counts_once() -> None:
    device = Device()
    with SubjectMemory(device) as memory:
        torch_network(device)
        assert device.used() == device.cache == 5 * GB
    assert memory.peak_bytes == 5 * GB


def test_memory_that_another_frees_meanwhile_takes_nothing_away() -> None:
    device = Device()
    device.others = 6 * GB
    with SubjectMemory(device) as memory:
        device.others = 0
        torch_network(device)
    assert memory.peak_bytes == 5 * GB


def test_the_peak_of_a_process_grows_with_what_it_takes() -> None:
    before = process_peak_gb()
    taken = bytearray(b"x" * int(before * GB))
    assert process_peak_gb() > 1.2 * before
    assert taken


@pytest.mark.gpu
def test_on_a_gpu_the_most_that_tensors_were_in_counts() -> None:
    import torch

    with SubjectMemory(CudaMemory()) as memory:
        kept = torch.zeros(256 << 20, dtype=torch.uint8, device="cuda")
        passing = torch.zeros(128 << 20, dtype=torch.uint8, device="cuda")
        del passing
    assert memory.peak_bytes == pytest.approx(384 << 20, rel=0.05)
    assert kept.numel()
