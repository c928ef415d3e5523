"""P-1, P-2 and P-3 on a repository in miniature."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from miniature_repository import quick

from dust_compress.prune.executors import evaluate_pruned, prune_teacher
from dust_compress.prune.fine_tune import train_pruned
from dust_compress.prune.saliency import saliency_by
from dust_core.declared.records import ResultFile, read_result_folder
from dust_core.declared.specs import ResolvedTask, load_specs, resolve
from dust_core.errors import DustError
from dust_core.network.checkpoint import load_checkpoint
from dust_core.network.model import Dust3rConfig
from dust_core.network.surgery.axes import axes_of
from dust_core.network.surgery.prune import choose_units, importances

pytestmark = pytest.mark.slow


def task_of(root: Path, name: str, **common: object) -> ResolvedTask:
    """A task under ci in the size of the miniature."""
    resolved = quick(resolve(load_specs(root / "specs"), name, "ci"))
    return replace(resolved, common=resolved.common.model_copy(update={"multiple": 4, **common}))


def result(root: Path, task: str) -> ResultFile:
    files = read_result_folder(root / "artifacts" / "ci").values()
    (own,) = (file for file in files if file.task == task)
    return own


@pytest.fixture(scope="module")
def pruned(evaluated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pruned") / "repository"
    shutil.copytree(evaluated, root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        for name in ("P-1", "P-2"):
            prune_teacher(task_of(root, name))
        evaluate_pruned(task_of(root, "P-3"))
    return root


def test_the_network_is_smaller_by_rho(pruned: Path) -> None:
    teacher = result(pruned, "P0-2").candidates[0].record
    for task, rho in (("P-1", 0.1), ("P-2", 0.3)):
        (candidate,) = result(pruned, task).candidates
        record = candidate.record
        assert record.rho == rho and record.exp_id == f"P_r0{rho * 100:.0f}_run1"
        # A file holds as many bytes as parameters and a few keys; operations fall too.
        assert record.params_M <= (1 - rho) * teacher.params_M
        assert record.flops_G < teacher.flops_G and record.size_MB < teacher.size_MB
        assert {verdict.gate for verdict in result(pruned, task).verdicts} == {"quality_pruned"}


def test_the_log_has_every_step_and_where_it_hurts(pruned: Path) -> None:
    extra = result(pruned, "P-2").extra
    steps = extra["validation"]
    assert list(steps) == ["teacher", "cut", "refitted", "fine_tuned"]
    assert all("loss" in measured or "not_judged" in measured for measured in steps.values())
    rows = {(row["kind"], row["stack"], row["block"]) for row in extra["sensitivity"]}
    assert ("channels", "encoder", None) in rows and ("ffn", "decoders", 1) in rows
    assert all(0.2 <= row["removed"] <= 0.5 for row in extra["sensitivity"])
    network = load_checkpoint(pruned / "artifacts/ci/pruned_r030.pth").network
    assert Dust3rConfig.from_dict(extra["shape"]) == network.config
    assert network.config.patch_size == 32


def test_all_are_measured_beside_the_teacher_and_the_smallest_is_judged(pruned: Path) -> None:
    file = result(pruned, "P-3")
    roles = {str(entry.exp_id): entry.provenance.role for entry in file.results}
    assert roles == {
        "P_r010_run1": "reference",
        "P_r030_run1": "candidate",
        str(result(pruned, "P0-2").candidates[0].exp_id): "baseline",
    }
    verdicts = {verdict.gate: verdict for verdict in file.verdicts}
    assert verdicts.keys() == {"quality_pruned", "smaller_by_quarter"}
    assert verdicts["smaller_by_quarter"].status == "pass"
    (candidate,) = file.candidates
    assert candidate.provenance.latency is not None
    assert candidate.provenance.latency.baseline == "P0-2"


def test_another_file_than_the_measured_one_is_refused(
    pruned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "repository"
    shutil.copytree(pruned, root)
    monkeypatch.chdir(root)
    files = root / "artifacts" / "ci"
    shutil.copyfile(files / "pruned_r010.pth", files / "pruned_r030.pth")
    with pytest.raises(DustError, match="not the network that P-2 made"):
        evaluate_pruned(task_of(root, "P-3"))


def test_taylor_reads_gradients_and_ranks_otherwise_than_l1(
    miniature: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(miniature)
    network = load_checkpoint(miniature / "artifacts/ci/teacher_fp32.pth").network
    with torch.no_grad():
        # Large weights that nothing reads: L1 keeps these units, their gradient is 0.
        network.enc_blocks[0].mlp.fc1.weight[:16] = 5.0
        network.enc_blocks[0].mlp.fc2.weight[:, :16] = 0.0
        network.enc_blocks[0].mlp.fc1.bias[:16] = -1e4
    axes = axes_of(network.config)
    kept = {}
    for criterion in ("l1", "taylor"):
        task = task_of(miniature, "P-2", criterion=criterion, importance_pairs=4)
        recipe = task.profile.training.prune.model_copy(update={"patch_size": None})
        saliency = saliency_by(task, network, task.common, recipe)
        importance = importances(saliency, axes)
        chosen = choose_units(network.config, axes, importance, 0.3, counts="width", multiple=4)
        kept[criterion] = set(chosen["enc_blocks.0.mlp"].tolist())
    assert set(range(16)) <= kept["l1"]
    assert not set(range(16)) & kept["taylor"]


def test_too_few_targets_for_rho_are_named(
    miniature: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(miniature)
    teacher = load_checkpoint(miniature / "artifacts/ci/teacher_fp32.pth").network
    with pytest.raises(DustError, match=r"P-2 cannot remove as much: these units hold less"):
        train_pruned(task_of(miniature, "P-2", targets=("heads",)), teacher)
