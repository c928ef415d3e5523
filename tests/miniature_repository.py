"""A repository in miniature that `dust run` evaluates: four pairs of a room, a tiny teacher."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dust_core.declared.specs import ResolvedTask

ROOT = Path(__file__).parents[1]
SPLITS = ("workload", "calibration", "training", "validation")
PAIRS = 4
FEWER = (
    ("chamfer_points: 20000", "chamfer_points: 2000"),
    ("bootstrap: 10000", "bootstrap: 1000"),
    ("rounds: 60", "rounds: 5"),
    ("encode_once: true\n    repeats: 3", "encode_once: true\n    repeats: 1"),
)
"""What the miniature measures less often than the workload does."""


@pytest.fixture(scope="session")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository; copy it before changing anything in it."""
    import torch

    from dust_core.files import sha256_file
    from dust_core.network.checkpoint import save_checkpoint
    from dust_core.network.model import Dust3r, Dust3rConfig

    root = tmp_path_factory.mktemp("miniature")
    shutil.copytree(ROOT / "specs", root / "specs")
    protocol = root / "specs" / "v1" / "workload.yaml"
    text = protocol.read_text()
    for split in SPLITS:
        write_set(root / "data" / split, split)
        frozen = sha256_file(root / "data" / split / "manifest.json")
        before, _, after = text.partition(f'manifest: data/{split}/manifest.json\n      sha256: "')
        text = f'{before}manifest: data/{split}/manifest.json\n      sha256: "{frozen}{after[64:]}'
    for declared, fewer in FEWER:
        assert declared in text, declared
        text = text.replace(declared, fewer)
    protocol.write_text(text)
    torch.manual_seed(0)
    shape = {"enc_dim": 32, "enc_depth": 2, "enc_heads": 2, "dec_dim": 16, "dec_depth": 2}
    config = Dust3rConfig.uniform(**shape, dec_heads=2, head="linear", patch_size=32)
    save_checkpoint(Dust3r(config), root / "artifacts" / "ci" / "teacher_fp32.pth")
    (root / ".gitignore").write_text("/artifacts/\n/data/\n")
    for command in (
        ("init", "--quiet"),
        ("add", "."),
        ("-c", "user.name=t", "-c", "user.email=t@t", "commit", "--quiet", "-m", "specs"),
    ):
        subprocess.run(["git", *command], cwd=root, check=True)
    return root


@pytest.fixture(scope="session")
def evaluated(miniature: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The miniature after P0; copy it before changing anything in it."""
    from dust_core.cli import main

    root = tmp_path_factory.mktemp("evaluated") / "repository"
    shutil.copytree(miniature, root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        for task in ("P0-1", "P0-2", "P0-3"):
            with pytest.raises(SystemExit) as ending:
                main(("run", task, "--profile", "ci"))
            assert not ending.value.code
    return root


def write_set(folder: Path, split: str) -> None:
    """Four pairs of the miniature room, its pixels enlarged to the workload's 512x512."""
    from miniature import pair

    from dust_core.pairs.shards.sample import PairSample, encode
    from dust_core.pairs.shards.tars import write_shards

    def enlarged(number: int) -> PairSample:
        small = pair(number, number + 1, scene=f"room/{split}")
        scale = np.array([[8, 0, 3.5], [0, 8, 3.5], [0, 0, 1]], np.float32)
        photograph, neighbour = (image.repeat(8, 0).repeat(8, 1) for image in small.images)
        near, far = (depth.repeat(8, 0).repeat(8, 1) for depth in small.depths)
        first, second = (scale @ matrix for matrix in small.intrinsics)
        return PairSample(
            (photograph, neighbour),
            (near, far),
            (first, second),
            small.view1_from_view2,
            small.about,
        )

    members = (encode(enlarged(number), picture="png") for number in range(PAIRS))
    write_shards(members, folder, split=split, licence="CC0-1.0", pairs_per_shard=2)


def quick(task: ResolvedTask) -> ResolvedTask:
    """A task that measures two pairs in five turns, and trains one epoch of two pairs, if any."""
    profile, workload = task.profile, task.workload
    short = {"pairs_per_epoch": 2, "batch": 2, "autocast": "fp32"}
    recipes = {
        "distill": short | {"side": 32, "refit_pairs": 2},
        "qat": short | {"side": 64},
        "prune": short | {"side": 32, "refit_pairs": 4},
    }
    trained = {
        name: getattr(profile.training, name).model_copy(update=changes)
        for name, changes in recipes.items()
    }
    training = profile.training.model_copy(update=trained)
    small = {"workload_pairs": 2, "validation_pairs": 2, "threads": 1, "training": training}
    timing = workload.timing.model_copy(update={"warmup": 3, "repeats": 5})
    quality = workload.quality.model_copy(update={"chamfer_points": 500, "bootstrap": 100})
    few = workload.model_copy(update={"timing": timing, "quality": quality})
    once = {"epochs": 1} if hasattr(task.task, "epochs") else {}
    return replace(
        task,
        task=task.task.model_copy(update=once),
        references={name: quick(used) for name, used in task.references.items()},
        workload=few,
        profile=profile.model_copy(update=small),
    )
