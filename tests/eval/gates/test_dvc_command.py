"""DVC as `dust repro` starts it writes its lock whole or not at all."""

from importlib import import_module
from pathlib import Path

import pytest

from dust_eval.gates import dvc_command


def test_a_lock_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("dvc.utils.serialize._common", "dvc.utils.serialize._yaml"):
        monkeypatch.setattr(f"{name}._dump_data", import_module(name)._dump_data)
    dvc_command._write_atomically()
    from dvc.utils.serialize import modify_yaml

    lock = tmp_path / "dvc.lock"
    lock.write_text("schema: '2.0'\nstages: {}\n")
    with lock.open() as reader:
        with modify_yaml(lock) as data:
            data["stages"]["P0-1"] = {"cmd": "dust run P0-1"}
        assert reader.read() == "schema: '2.0'\nstages: {}\n"
    assert lock.read_text() == "schema: '2.0'\nstages:\n  P0-1:\n    cmd: dust run P0-1\n"

    class Unwritable:
        """What no YAML holds, which DVC notices in the middle of the file."""

    with pytest.raises(Exception, match="represent"), modify_yaml(lock) as data:
        data["stages"]["P0-2"] = Unwritable()
    assert lock.read_text() == "schema: '2.0'\nstages:\n  P0-1:\n    cmd: dust run P0-1\n"
