"""`dust doctor`: what a machine can run, and what it lacks, on machines made for the test."""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from dust_core.cli import main
from dust_core.declared.doctor import machine
from dust_core.declared.specs import load_specs

ROOT = Path(__file__).parents[4]
Doctor = Callable[..., tuple[int, str]]


@pytest.fixture
def doctor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Doctor:
    """Runs `dust doctor` in a folder with the project's specs, on sets of the test's own: exit code
    and output."""
    shutil.copytree(ROOT / "specs", tmp_path / "specs")
    workload = tmp_path / "specs" / "v1" / "workload.yaml"
    for name, split in load_specs(ROOT / "specs").workload.data:
        manifest = tmp_path / split.manifest
        manifest.parent.mkdir(parents=True)
        manifest.write_text(name)
        digest = hashlib.sha256(name.encode()).hexdigest()
        workload.write_text(workload.read_text().replace(split.sha256, digest))
    (tmp_path / "bin").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")

    def run(*words: str) -> tuple[int, str]:
        code = 0
        try:
            main(["doctor", *words])
        except SystemExit as ending:
            code = int(ending.code or 0)
        return code, capsys.readouterr().out

    return run


def row(said: str, check: str) -> list[str]:
    """State and detail of a check."""
    line = next(line for line in said.splitlines() if line.startswith(check + " "))
    return line[len(check) :].split(maxsplit=1)


def test_what_is_here_runs_and_what_is_not_is_named(doctor: Doctor) -> None:
    code, said = doctor()
    assert code == 0
    assert said.endswith("runs here: ci, small\n")
    assert row(said, "small: data") == ["ok"]
    assert row(said, "full: device") == ["missing", "it needs 1 GPU, and nvidia-smi names 0"]
    assert "the authors' page" in row(said, "full: checkpoint")[1]


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (Path.unlink, "data/validation/manifest.json is not here: `dust data import` makes it"),
        (lambda path: path.write_text("{}"), "is not the file that the specs name"),
    ],
)
def test_a_set_that_is_not_as_declared_is_named(
    harm: Callable[[Path], object], told: str, doctor: Doctor
) -> None:
    harm(Path("data/validation/manifest.json"))
    code, said = doctor("--profile", "small")
    assert code == 1
    assert said.endswith("runs here: none\n")
    state, detail = row(said, "small: data")
    assert state == "missing"
    assert told in detail
    assert "full" not in said


def test_a_set_that_dvc_fetches_is_not_missing(doctor: Doctor) -> None:
    Path(".dvc").mkdir()
    Path("data/validation.dvc").write_text("outs: []\n")
    Path("data/validation/manifest.json").unlink()
    code, said = doctor("--profile", "small")
    assert code == 0
    assert row(said, "small: data") == ["ok", "`dust repro` fetches data/validation"]


def test_a_package_that_is_absent_is_named_with_what_installs_it(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dust_core.declared.doctor import profiles

    known = profiles.find_spec
    monkeypatch.setattr(
        profiles, "find_spec", lambda name: None if name == "openvino" else known(name)
    )
    code, said = doctor("--profile", "ci")
    assert code == 1
    told = "openvino is not installed: pip install 'dust-eval[runtimes]'"
    assert row(said, "ci: packages") == ["missing", told]


def test_a_checkpoint_without_its_digest_is_told_which_it_has(doctor: Doctor) -> None:
    path = Path("checkpoints/DUSt3R_ViTLarge_BaseDecoder_512_dpt.pth")
    path.parent.mkdir()
    path.write_bytes(b"weights")
    _, said = doctor("--profile", "full")
    assert hashlib.sha256(b"weights").hexdigest() in row(said, "full: checkpoint")[1]


def test_a_profile_and_the_review_are_two_questions(doctor: Doctor) -> None:
    assert doctor("--review", "--profile", "small")[0] == 2


def test_a_gpu_is_told_with_its_driver(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    smi = Path("bin/nvidia-smi")
    smi.write_text("#!/bin/sh\necho 'NVIDIA T4, 15360 MiB, 570.1'\n")
    smi.chmod(0o755)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    _, said = doctor("--profile", "full")
    assert row(said, "GPU") == ["ok", "NVIDIA T4, 15360 MiB, 570.1"]
    assert row(said, "full: device") == ["ok"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert row(doctor("--profile", "full")[1], "full: device")[0] == "missing"


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ({"avx2"}, ("INT8 saves size, not time", "trainings compute in FP32")),
        ({"avx2", "avx512_vnni", "amx_bf16"}, ("INT8 by avx512_vnni", "bf16 by amx_bf16")),
    ],
)
def test_a_processor_is_told_by_what_it_computes_fast(
    flags: set[str], told: tuple[str, ...], doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "processor_flags", lambda: frozenset(flags))
    state, detail = row(doctor()[1], "processor")
    assert state == "ok"
    assert all(part in detail for part in told)


def test_a_system_that_does_not_describe_itself_is_no_fault(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "processor_flags", frozenset)
    monkeypatch.setattr(machine, "_MEMINFO", Path(os.devnull))
    code, said = doctor("--profile", "ci")
    assert code == 0
    assert (row(said, "processor")[0], row(said, "memory")[0]) == ("unknown", "unknown")
