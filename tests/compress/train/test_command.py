"""`dust train`: a training done elsewhere, carried home, and taken there without its data."""

import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dust_compress.initial_teacher import initial_network, with_new_heads
from dust_compress.train.command import train
from dust_core.declared.specs import load_specs, resolve
from dust_core.declared.specs.models.training import Start
from dust_core.errors import DustError
from dust_core.files import sha256_file
from dust_core.network.checkpoint import load_checkpoint, save_checkpoint, weights_digest
from dust_core.network.model import DptConfig, Dust3r
from dust_core.pairs.shards.tars import write_shards

sys.path.insert(0, str(Path(__file__).parent))

from test_task_training import ROOT, TINY, samples

WORK, TEACHER = Path("artifacts/ci/.work"), Path("artifacts/ci/teacher_fp32.pth")


@pytest.fixture
def task(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DUST_TRAINING_DEVICE", "cpu")  # what --device sets is forgotten afterwards
    shutil.copytree(ROOT / "specs", "specs")
    profile = Path("specs/profiles/ci.yaml")
    text = profile.read_text()
    for count in ("pairs_per_epoch", "batch", "validation_pairs"):
        text, replaced = re.subn(rf"{count}: \d+", f"{count}: 2", text)
        assert replaced
    profile.write_text(text)
    resolved = resolve(load_specs(Path("specs")), "P0-teacher", "ci")
    for split in ("training", "validation"):
        members = samples(6, resolved.data.training.scenes[0])
        write_shards(members, Path("data") / split, split=split, licence="m", pairs_per_shard=6)
    return resolved


def test_a_carried_training_is_taken_without_its_pairs(task, capsys):
    train("P0-teacher", profile="ci", specs=Path("specs"), device="cpu", to=Path("away"))
    assert "wrote artifacts/ci/teacher_fp32.pth" in capsys.readouterr().out
    first = weights_digest(load_checkpoint(TEACHER).network)
    carried = sorted(path.relative_to("away") for path in Path("away").rglob("*.pt"))
    assert [path.parts[1:] for path in carried] == [
        ("stage1", "finished.pt"),
        ("stage2", "finished.pt"),
    ]
    (WORK / "P0-teacher-stopped").mkdir()  # an unfinished training has nothing to carry
    train("P0-teacher", profile="ci", specs=Path("specs"), to=Path("again"))
    assert len(list(Path("again").rglob("*.pt"))) == 2
    shutil.rmtree(WORK)
    TEACHER.unlink()
    shutil.rmtree("data/training")
    shutil.copytree("away", WORK)
    train("P0-teacher", profile="ci", specs=Path("specs"))
    assert weights_digest(load_checkpoint(TEACHER).network) == first


def test_only_a_task_that_trains_can_be_trained(task):
    with pytest.raises(DustError, match="has no training of its own") as caught:
        train("K-4", profile="ci", specs=Path("specs"))
    assert "distill" in caught.value.fix and "train-teacher" in caught.value.fix


def test_a_gpu_that_is_not_there_is_one_message(task, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(DustError, match="finds no CUDA device"):
        train("P0-teacher", profile="ci", specs=Path("specs"), device="cuda")


def started(task, start):
    stages = (task.profile.training.teacher[0].model_copy(update={"start": start}),)
    training = task.profile.training.model_copy(update={"teacher": stages})
    return initial_network(
        replace(task, profile=task.profile.model_copy(update={"training": training}))
    )


def test_a_teacher_goes_on_from_stored_weights(task):
    first = initial_network(task)
    path = Path("start.pth")
    save_checkpoint(first, path)
    again = started(task, Start(checkpoint="start.pth", sha256=sha256_file(path)))
    assert weights_digest(again) == weights_digest(first)
    with pytest.raises(DustError, match="not the weights that the training starts from"):
        started(task, Start(checkpoint="start.pth", sha256="0" * 64))
    with pytest.raises(DustError, match="are not here") as caught:
        started(task, Start(checkpoint="gone.pth", sha256="0" * 64))
    assert "dvc pull gone.pth.dvc" in caught.value.fix
    save_checkpoint(Dust3r(TINY), path)
    with pytest.raises(DustError, match="have another shape"):
        started(task, Start(checkpoint="start.pth", sha256=sha256_file(path)))


def test_heads_of_another_kind_are_drawn_anew_and_the_rest_goes_on(task):
    network, path = initial_network(task), Path("start.pth")
    widths = DptConfig(layer_dims=(4, 4, 4, 4), feature_dim=4, last_dim=4)
    save_checkpoint(with_new_heads(network, replace(network.config, head="dpt", dpt=widths)), path)
    given = {"checkpoint": "start.pth", "sha256": sha256_file(path)}
    with pytest.raises(DustError, match="have another shape") as caught:
        started(task, Start(**given))
    assert "`heads: new`" in caught.value.fix
    again = started(task, Start(**given, heads="new"))
    assert again.config == network.config
    before, after = network.state_dict(), again.state_dict()
    for key, value in before.items():
        if not key.startswith("downstream_head"):
            assert torch.equal(after[key], value), key
