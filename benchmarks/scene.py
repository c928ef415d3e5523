"""Alignment compared with 300 steps of Adam; with a checkpoint, the effect of encoding once.

    python benchmarks/scene.py [data/workload] [--side 128] [--noise 0.05]
    python benchmarks/scene.py --model artifacts/small/teacher_fp32.pth [--runtime openvino]
    python benchmarks/scene.py --model artifacts/small/student_int8.onnx --precision bf16

With a checkpoint or a graph, it prints the seconds of the workload's first scene and of its
prediction. It measures in turn with both images of every pair encoded, and with each image encoded
once.

Without a checkpoint, it prints alignment time and final objective of closed-form rounds and of
Adam. The input is the five views of each clique of the set. Their pointmaps are the true ones with
noise that grows with depth, and each pair has a random scale.
Both start from the same spanning tree and PnP; Adam has the published settings
(betas 0.9 and 0.9, a learning rate of 0.01 with a cosine) on log-depths, quaternions, translations,
log-focals and log-scales.
"""

import argparse
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from torch import Tensor

from dust_core.network.checkpoint import load_checkpoint
from dust_core.network.onnx.export import export_onnx
from dust_core.network.onnx.parts import write_parts
from dust_core.pairs.geometry import transform, unproject
from dust_core.pairs.shards.reader import read_samples
from dust_core.pairs.shards.sample import network_input
from dust_eval.runtimes import Precision, RuntimeOptions, load_model, load_split
from dust_eval.scene.align import _Problem, align
from dust_eval.scene.graph import Edge, predict_edges, swin_pairs

STEPS, RATE, BETAS = 300, 0.01, (0.9, 0.9)
IMAGES = 5  # in a scene


def cliques(folder: Path, side: int, noise: float) -> dict[str, list[Edge]]:
    """Noisy edges of every scene of a set, at `side` x `side` pixels."""
    rng = np.random.default_rng(0)
    by_scene: dict[str, list[Edge]] = {}
    numbers: dict[str, dict[str, int]] = {}
    for pair in read_samples(folder):
        scene, names = str(pair.about["scene"]), [str(name) for name in pair.about["images"]]
        own = numbers.setdefault(scene, {})
        ends = [own.setdefault(name, len(own)) for name in names]
        step = pair.depths[0].shape[0] // side
        clouds = [
            unproject(depth, intrinsics).reshape(*depth.shape, 3)
            for depth, intrinsics in zip(pair.depths, pair.intrinsics, strict=True)
        ]
        pose = pair.view1_from_view2.astype(np.float64)
        for flip in (False, True):
            a, b = (1, 0) if flip else (0, 1)
            across = np.linalg.inv(pose) if flip else pose
            views = [
                clouds[a],
                transform(across, clouds[b].reshape(-1, 3)).reshape(clouds[b].shape),
            ]
            points = np.stack([view[step // 2 :: step, step // 2 :: step] for view in views])
            known = np.stack(
                [pair.depths[v][step // 2 :: step, step // 2 :: step] > 0 for v in (a, b)]
            )
            points = points * (1 + noise * rng.standard_normal((*points.shape[:3], 1)))
            confidences = np.where(known, 10.0, 1.0001)
            scaled = (rng.uniform(0.5, 2) * points).astype(np.float32)
            by_scene.setdefault(scene, []).append(Edge(ends[a], ends[b], scaled, confidences))
    return by_scene


def adam(images: int, edges: list[Edge]) -> float:
    """The objective after 300 steps of Adam from the spanning tree."""
    start = _Problem(images, edges, 1)
    start.start()
    points = torch.from_numpy(np.stack(start.points))
    weights = torch.from_numpy(np.stack(start.weights)).float()
    pixels = torch.from_numpy(start.pixels).float()
    ends = torch.tensor([[edge.first, edge.second] for edge in edges])

    def learned(values: np.ndarray) -> Tensor:
        return torch.tensor(np.asarray(values), dtype=torch.float32, requires_grad=True)

    log_depths = learned(np.log(np.stack(start.depths)))
    log_focals = learned(np.log(start.focals))
    turns, shifts = (
        learned(_turns(start.cameras)),
        learned([c.translation for c in start.cameras]),
    )
    pair_turns = learned(_turns(start.pairs))
    pair_shifts = learned([p.translation for p in start.pairs])
    log_scales = learned(np.log([p.scale for p in start.pairs]))
    unknowns = [log_depths, log_focals, turns, shifts, pair_turns, pair_shifts, log_scales]
    optimiser = torch.optim.Adam(unknowns, lr=RATE, betas=BETAS)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)

    def objective() -> Tensor:
        rays = torch.cat(
            [
                pixels / log_focals.exp()[:, None, None, None],
                torch.ones(images, *pixels.shape[:2], 1),
            ],
            -1,
        )
        own = rays * log_depths.exp()[..., None]
        world = torch.einsum("nij,nhwj->nhwi", _matrices(turns), own) + shifts[:, None, None]
        scales = (log_scales - log_scales.mean()).exp()
        moved = torch.einsum("eij,evhwj->evhwi", _matrices(pair_turns), points)
        moved = scales[:, None, None, None, None] * moved + pair_shifts[:, None, None, None]
        return (weights * (world[ends] - moved).norm(dim=-1)).mean()

    for _ in range(STEPS):
        optimiser.zero_grad()
        objective().backward()
        optimiser.step()
        schedule.step()
    return float(objective().detach())


def _turns(fits: list) -> np.ndarray:
    """Quaternions (N, 4), x y z w."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_matrix(np.stack([fit.rotation for fit in fits])).as_quat()


def _matrices(quaternions: Tensor) -> Tensor:
    x, y, z, w = (quaternions / quaternions.norm(dim=-1, keepdim=True)).unbind(-1)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def encoding(
    path: Path, folder: Path, runtime: str, precision: Precision, threads: int, repeats: int
) -> dict[str, tuple[float, float]]:
    """Median seconds of a scene and of its prediction: by pair, and with images encoded once."""
    names: dict[str, np.ndarray] = {}
    for pair in read_samples(folder):
        pictures = map(network_input, pair.images)
        names |= dict(zip(map(str, pair.about["images"]), pictures, strict=True))
        if len(names) >= IMAGES:
            break
    images = list(names.values())[:IMAGES]
    height, width = images[0].shape[2:]
    pairs, options = swin_pairs(IMAGES, 4), RuntimeOptions(threads=threads, precision=precision)
    with tempfile.TemporaryDirectory() as scratch:
        whole, encoder, decoder = (Path(scratch) / f"{name}.onnx" for name in ("w", "e", "d"))
        if path.suffix == ".onnx":
            whole = path
        else:
            export_onnx(load_checkpoint(path).network, whole, height=height, width=width)
        write_parts(whole, encoder, decoder)
        models = {
            "by pair": load_model(runtime, whole, options),
            "once": load_split(runtime, encoder, decoder, options),
        }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in models}
    for _ in range(repeats + 1):
        for name, model in models.items():
            begin = perf_counter()
            edges = predict_edges(model, images, pairs, encode_once=name == "once")
            middle = perf_counter()
            align(IMAGES, edges)
            taken[name].append((perf_counter() - begin, middle - begin))
    medians = {name: np.median(rows[1:], axis=0) for name, rows in taken.items()}
    return {name: (float(scene), float(part)) for name, (scene, part) in medians.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path("data/workload"))
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--noise", type=float, default=0.05)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--runtime", default="openvino")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    if options.model is not None:
        times = encoding(
            options.model,
            options.folder,
            options.runtime,
            options.precision,
            options.threads,
            options.repeats,
        )
        print(f"{options.runtime}, {options.threads} threads:")
        for name, (scene, predicting) in times.items():
            print(f"{name:<10} scene {scene:6.3f} s, of it predicting {predicting:6.3f} s")
        ratios = (after / before for before, after in zip(*times.values(), strict=True))
        print("once / by pair: scene {:.3f}, predicting {:.3f}".format(*ratios))
        return
    print(f"{'scene':<28}{'ours':>10}{'Adam':>10}{'ratio':>7}{'ours':>10}{'Adam':>10}")
    for scene, edges in cliques(options.folder, options.side, options.noise).items():
        images = 1 + max(max(edge.first, edge.second) for edge in edges)
        pairs = set(swin_pairs(images, 4))
        edges = [edge for edge in edges if (edge.first, edge.second) in pairs]
        begin = perf_counter()
        ours = align(images, edges)
        middle = perf_counter()
        theirs = adam(images, edges)
        end = perf_counter()
        taken, plain = middle - begin, end - middle
        print(
            f"{scene:<28}{taken:>8.1f} s{plain:>8.1f} s{taken / plain:>7.2f}"
            f"{ours.objective:>10.4f}{theirs:>10.4f}"
        )


if __name__ == "__main__":
    main()
