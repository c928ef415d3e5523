import shutil
import subprocess
from pathlib import Path

import pytest

from dust_core.declared.records import environment_fingerprint, installed_versions
from dust_core.declared.records.sources import measuring_code, training_code
from dust_core.errors import DustError


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Tester", "-c", "user.email=tester@example.org"]
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    (tmp_path / "spec.yaml").write_text("a: 1\n")
    (tmp_path / "dvc.lock").write_text("stages: {}\n")
    git(tmp_path, "add", "spec.yaml", "dvc.lock")
    git(tmp_path, "commit", "-q", "-m", "First")
    return tmp_path


def test_the_commit_is_named_and_a_clean_tree_is_clean(repository: Path) -> None:
    environment = environment_fingerprint(repository=repository)
    assert environment.commit == git(repository, "rev-parse", "HEAD")
    assert not environment.dirty


@pytest.mark.parametrize(("said", "draft"), [("1", True), ("0", False), ("", False)])
def test_a_draft_is_said_by_the_environment(
    repository: Path, monkeypatch: pytest.MonkeyPatch, said: str, *, draft: bool
) -> None:
    monkeypatch.delenv("DUST_DRAFT", raising=False)
    assert environment_fingerprint(repository=repository).draft is False
    monkeypatch.setenv("DUST_DRAFT", said)
    assert environment_fingerprint(repository=repository).draft is draft


def test_the_sources_of_figures_are_named_by_their_digests(repository: Path) -> None:
    environment = environment_fingerprint(repository=repository)
    assert environment.measuring_code == measuring_code()
    assert environment.training_code == training_code()


def test_a_changed_or_new_source_is_dirty(repository: Path) -> None:
    (repository / "spec.yaml").write_text("a: 2\n")
    assert environment_fingerprint(repository=repository).dirty
    (repository / "spec.yaml").write_text("a: 1\n")
    (repository / "new.py").touch()
    assert environment_fingerprint(repository=repository).dirty


@pytest.mark.parametrize("tracked", [True, False])
@pytest.mark.parametrize(
    ("lock", "dirty"),
    [
        ("dvc.lock", False),
        ("pipelines/full/dvc.lock", False),
        ("pipelines/my-own/dvc.lock", False),
        ("executions/small/K-1.jsonl", False),
        ("executions/small/K-1.py", True),
        ("executions/K-1.jsonl", True),
        ("pipelines/full/dvc.yaml", True),
        ("pipelines/full/old/dvc.lock", True),
        ("pipelines/dvc.lock", True),
        ("data/dvc.lock", True),
        ("data/workload/dvc.lock.dvc", True),
    ],
)
def test_only_what_running_stages_write_is_no_change(
    repository: Path, lock: str, *, dirty: bool, tracked: bool
) -> None:
    path = repository / lock
    path.parent.mkdir(parents=True, exist_ok=True)
    if tracked:
        path.write_text("stages: {}\n")
        git(repository, "add", ".")
        git(repository, "commit", "-q", "--allow-empty", "-m", "Lock")
    path.write_text("stages: {k: 1}\n")
    (repository / "below").mkdir()
    assert environment_fingerprint(repository=repository / "below").dirty is dirty


def test_one_machine_has_one_fingerprint(repository: Path) -> None:
    first, second = (environment_fingerprint(repository=repository) for _ in range(2))
    assert first == second
    assert first.device.kind == "cpu" and first.device.name
    assert first.versions["python"].startswith("3.")


def test_without_a_commit_nothing_is_recorded(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    with pytest.raises(DustError) as error:
        environment_fingerprint(repository=tmp_path)
    assert str(error.value) == (
        f"{tmp_path}: cannot tell which commit is executed\n"
        "  fix: run inside a clone of the repository that has a commit; a figure without its "
        "commit is not recorded"
    )


@pytest.fixture
def programs(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on the path, with git in it and no driver's tools."""
    folder = repository / "bin"
    folder.mkdir()
    git_program = shutil.which("git")
    assert git_program is not None
    (folder / "git").symlink_to(git_program)
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_without_a_gpu_there_is_no_cuda_device(repository: Path, programs: Path) -> None:
    with pytest.raises(DustError) as error:
        environment_fingerprint("cuda", repository=repository)
    assert str(error.value) == (
        "device cuda: there is no CUDA device to describe: nvidia-smi does not name one\n"
        "  fix: choose a profile whose device is cpu, or make nvidia-smi work on this machine"
    )


def test_a_gpu_is_the_first_visible_one_as_the_driver_names_it(
    repository: Path, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = programs / "nvidia-smi"
    driver.write_text('#!/bin/sh\necho "Example GPU, model $1, 9.0, 81559"\n')
    driver.chmod(0o755)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,1")
    third = environment_fingerprint("cuda", repository=repository).device
    assert (third.kind, third.name) == ("cuda", "Example GPU, model --id=3")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    first = environment_fingerprint("cuda", repository=repository).device
    assert first.name == "Example GPU, model --id=0"
    assert first.fingerprint != third.fingerprint


@pytest.mark.gpu
def test_a_gpu_is_named_as_torch_names_it(repository: Path) -> None:
    import torch

    device = environment_fingerprint("cuda", repository=repository).device
    assert device.kind == "cuda"
    assert device.name == torch.cuda.get_device_name()


def test_only_installed_packages_have_versions() -> None:
    assert list(installed_versions(["pydantic", "no-such-package"])) == ["pydantic"]
