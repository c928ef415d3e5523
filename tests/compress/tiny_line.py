"""The main line in miniature: a room in place of levels, networks of a few channels."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from itertools import chain, repeat
from pathlib import Path

import numpy as np
import torch

from dust_core.declared.specs import load_specs
from dust_core.files import sha256_file
from dust_core.network.checkpoint import save_checkpoint
from dust_core.network.model import DptConfig, Dust3r, Dust3rConfig
from dust_core.pairs.shards.sample import Members, PairSample, encode
from dust_core.pairs.shards.tars import write_shards

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "core" / "pairs"))

from miniature import pair  # noqa: E402

SPLITS = ("workload", "calibration", "training", "validation")
ENLARGED = 8  # the room's images have 64 pixels a side, the workload's 512
CLIQUE = [(first, second) for first in range(5) for second in range(5) if first < second]
LINE = (
    *("P0-1", "P0-teacher", "P0-2", "K-1", "K-2", "K-3", "K-4"),
    *("Q-1", "Q-2", "Q-3", "Q-4", "KQ-1", "KQ-2", "KQ-3"),
    *("P-1", "P-2", "P-3", "ABL-1", "ABL-2", "ABL-3"),
)

_RECIPE = """lr: 1.0e-3
weight_decay: 0.05
warmup: 0.1
autocast: fp32
accumulate: 1
final_lr: 1.0e-6
betas: [0.9, 0.95]
clip_norm: 1.0
augmentation: {smallest_crop: 0.8, flip: 0.5, brightness: 1.3, contrast: 1.2, saturation: 1.3}"""


def recipe(indent: int, **values: object) -> str:
    """A recipe of the profile, as YAML."""
    lines = [f"{key}: {value}" for key, value in values.items()] + _RECIPE.splitlines()
    return ("\n" + " " * indent).join(lines)


SHARDS = "{manifest: data/training/manifest.json, sha256: SHA_OF_TRAINING}"
TINY = f"""apiVersion: dust/v1
kind: Profile
metadata: {{name: tiny, title: A few channels}}
spec:
  quotable: false
  workload_pairs: 2
  validation_pairs: 2
  teacher:
    network:
      {{enc_dim: 16, enc_depth: 2, enc_heads: 2, dec_dim: 16, dec_depth: 2, dec_heads: 2,
        head: linear, patch_size: 32}}
    checkpoint: null
  data: embedded
  device: {{kind: cpu, count: 1}}
  threads: 1
  runtime: {{name: openvino, float_precision: bf16, compiler: tensorrt_rtx}}
  training:
    teacher:
      - {
    recipe(
        8,
        epochs=1,
        pairs_per_epoch=2,
        batch=2,
        side=32,
        patch_size=16,
        optimiser="muon",
        matching=0.3,
        averaging=0.999,
        shards=SHARDS,
    )
}
      - {recipe(8, epochs=1, pairs_per_epoch=2, batch=2, side=64, patch_size=32, averaging=0.999)}
    distill:
      {
    recipe(6, refit_pairs=2, pairs_per_epoch=2, batch=2, side=32, patch_size=16, averaging=0.999)
}
    qat:
      {recipe(6, pairs_per_epoch=2, batch=2, side=64, averaging="null")}
    prune:
      {
    recipe(6, refit_pairs=2, pairs_per_epoch=2, batch=2, side=32, patch_size=16, averaging=0.999)
}
"""
PUBLISHED_SHAPE = {"enc_dim": 16, "enc_depth": 1, "enc_heads": 2, "dec_dim": 16, "dec_depth": 1}
PUBLISHED_DPT = DptConfig(layer_dims=(4, 4, 4, 4), feature_dim=4, last_dim=4)


def write_repository(root: Path) -> None:
    """A git repository with the project's specs, a profile `tiny`, one `published`, and data."""
    shutil.copytree(ROOT / "specs", root / "specs")
    write_data(root / "data")
    sums = {split: sha256_file(root / "data" / split / "manifest.json") for split in SPLITS}
    profiles = root / "specs" / "profiles"
    text = TINY.replace("SHA_OF_TRAINING", sums["training"])
    (profiles / "tiny.yaml").write_text(text)
    (profiles / "published.yaml").write_text(published(root, text, sums))
    edit(
        root / "specs" / "v1" / "workload.yaml",
        *(
            (rf"(data/{split}/manifest.json\s+sha256: ).*", rf'\1"{sums[split]}"')
            for split in SPLITS
        ),
        (r"chamfer_points: \d+", "chamfer_points: 1000"),
        (r"bootstrap: \d+", "bootstrap: 1000"),
        (r"repeats: 3", "repeats: 1"),
        (r"rounds: 60", "rounds: 5"),
        (r"warmup: \d+", "warmup: 3"),
    )
    edit(root / "specs" / "v1" / "distill.yaml", ("epochs: 30", "epochs: 10"))
    for name in ("quant", "kq", "prune"):
        edit(root / "specs" / "v1" / f"{name}.yaml", ("epochs: 12", "epochs: 10"))
    (root / ".gitignore").write_text("/artifacts/\n/data/\n")
    for command in (
        ("init", "--quiet"),
        ("add", "."),
        ("-c", "user.name=t", "-c", "user.email=t@t", "commit", "--quiet", "-m", "specs"),
    ):
        subprocess.run(["git", *command], cwd=root, check=True)


def published(root: Path, text: str, sums: dict[str, str]) -> str:
    """A profile with a published checkpoint and sets of the user's own, and that checkpoint."""
    torch.manual_seed(0)
    config = Dust3rConfig.uniform(
        **PUBLISHED_SHAPE, dec_heads=2, head="dpt", dpt=PUBLISHED_DPT, patch_size=16
    )
    path = root / "checkpoints" / "published.pth"
    save_checkpoint(Dust3r(config), path)
    shape = ", ".join(f"{key}: {value}" for key, value in PUBLISHED_SHAPE.items())
    network = (
        f"network: {{{shape}, dec_heads: 2, head: dpt, patch_size: 16, "
        "dpt: {layer_dims: [4, 4, 4, 4], feature_dim: 4, last_dim: 4}}"
    )
    checkpoint = (
        f"checkpoint: {{name: P, path: checkpoints/published.pth, sha256: {sha256_file(path)}, "
        "licence: CC0-1.0, source: this test}"
    )
    sets = "".join(
        f"\n    {split}: {{manifest: data/{split}/manifest.json, sha256: {sums[split]}, "
        f"pairs: 20, scenes: [room/{split}]}}"
        for split in SPLITS
    )
    start, end = text.index("    teacher:\n      -"), text.index("    distill:")
    text = text[:start] + "    teacher: null\n" + text[end:]
    text = re.sub(r"network:\n[^}]*}", network, text)
    text = text.replace("checkpoint: null", checkpoint).replace("data: embedded", f"data:{sets}")
    return text.replace("name: tiny", "name: published")


def write_data(folder: Path) -> None:
    """The four sets: a clique of five views of the room each, 256 pairs to calibrate on."""
    declared = load_specs(ROOT / "specs").workload.data
    for split in SPLITS:
        scene = getattr(declared, split).scenes[0]
        members = [encode(enlarged(*numbers, scene), picture="png") for numbers in CLIQUE]
        # Ranges need 512 images, and the format of the sets does not mind the same ones again.
        pairs: Iterable[Members] = (
            [*chain.from_iterable(repeat(members, 25)), *members[:6]]
            if split == "calibration"
            else members
        )
        write_shards(pairs, folder / split, split=split, licence="CC0-1.0", pairs_per_shard=1000)


def enlarged(first: int, second: int, scene: str) -> PairSample:
    """A pair of the room with the workload's 512 x 512 pixels."""
    small = pair(first, second, scene=scene)
    half = (ENLARGED - 1) / 2
    scale = np.array([[ENLARGED, 0, half], [0, ENLARGED, half], [0, 0, 1]], np.float32)
    images = [view.repeat(ENLARGED, 0).repeat(ENLARGED, 1) for view in small.images]
    depths = [view.repeat(ENLARGED, 0).repeat(ENLARGED, 1) for view in small.depths]
    cameras = [scale @ matrix for matrix in small.intrinsics]
    return PairSample(
        (images[0], images[1]),
        (depths[0], depths[1]),
        (cameras[0], cameras[1]),
        small.view1_from_view2,
        small.about,
    )


def edit(path: Path, *replacements: tuple[str, str]) -> None:
    """Replace patterns in a file, each of which must be there."""
    text = path.read_text()
    for pattern, text_instead in replacements:
        text, count = re.subn(pattern, text_instead, text)
        assert count, f"{pattern} is not in {path}"
    path.write_text(text)
