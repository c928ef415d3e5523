"""The order of names."""

from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from dust_core.natural import natural_key


def test_names_are_in_the_order_of_their_numbers() -> None:
    names = ["frame10", "frame2", "frame1b", "Frame3", "frame01", "frame1", "frame"]
    assert sorted(names, key=natural_key) == [
        "frame", "frame01", "frame1", "frame1b", "frame2", "Frame3", "frame10",
    ]  # fmt: skip


def test_a_folder_stays_together() -> None:
    paths = [Path(name) for name in ("a-1/x", "a/b10", "a/b9", "a10/x", "a9/x")]
    assert sorted(paths, key=natural_key) == [
        Path(name) for name in ("a/b9", "a/b10", "a9/x", "a10/x", "a-1/x")
    ]


@given(st.lists(st.text(alphabet="0123456789aA/²٣ .-", max_size=8), unique=True, max_size=6))
def test_every_set_of_names_has_one_order(names: list[str]) -> None:
    assert len({natural_key(name) for name in names}) == len(names)
    keys = sorted(map(natural_key, names))
    assert all(first < second for first, second in pairwise(keys))


def test_a_number_of_any_length_is_a_number() -> None:
    long = "9" * 5000
    assert sorted([f"a{long}0", f"a{long}"], key=natural_key) == [f"a{long}", f"a{long}0"]
