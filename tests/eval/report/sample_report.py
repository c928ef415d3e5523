"""A profile with an INT8 student beside its FP32 one, pictures of pairs, and a scene."""

from pathlib import Path
from typing import Any

import numpy as np
import sample_results as sample
from declared_specs import exp_id, result_file

from dust_core.declared.records import BaselineRef, Result, write_result_file
from dust_core.declared.specs import load_specs, resolve
from dust_core.pairs.framing import Mode, place
from dust_core.pairs.pictures.photographs import Photograph
from dust_eval.quality import PairTruth
from dust_eval.quality.workload import Sample
from dust_eval.report.gallery import PairPictures, draw_pairs
from dust_eval.report.illustrations import Illustrations
from dust_eval.runtimes import PairOutput
from dust_eval.scene.page import View
from dust_eval.scene.page import render as render_scene

SPECS = Path(__file__).parents[3] / "specs"
SET = load_specs(SPECS)
INT8, FP32, SIDE = exp_id("KQ-2"), exp_id("K-1"), 32
BOTH = {
    "P0-2": BaselineRef(exp_id=sample.TEACHER, sha256="4" * 64),
    "K-4": BaselineRef(exp_id=FP32, sha256="5" * 64),
}


def measured(exp_id: str, task: str, delta1: float, p50: float, **changes: Any) -> Result:
    """A result of a task of the specs, whose pairs have a delta1 about `delta1`."""
    resolved = resolve(SET, task, "small")
    proof = {"spec_digest": resolved.digest, "workload_sha256": resolved.workload_digest}
    latency = changes.pop("latency", sample.turns(p50))
    quality = changes.pop("quality", sample.per_pair(delta1=delta1))
    return sample.result(
        exp_id, task=task, quality=quality, latency=latency, **proof | {"baselines": BOTH} | changes
    )


def eight_bit_quality() -> dict[str, Any]:
    """delta1 of INT8: a hundredth below FP32's, and pair 7 a fifth below it."""
    quality = sample.per_pair(delta1=0.92)
    lost = [value - (0.2 if pair == 7 else 0.01) for pair, value in enumerate(quality["delta1"])]
    return quality | {"delta1": tuple(lost)}


def write_results(folder: Path, *, int8_ms: float = 40.0, int8: str = INT8) -> None:
    """Write the results of P0-2, Q-1's layers, and KQ-3 (`int8`) with its two baselines."""
    of_teacher = {"artifacts": {"teacher_fp32.pth": "4" * 64}}
    teacher = measured(sample.TEACHER, "P0-2", 0.95, 200.0, baselines={}, **of_teacher)
    write_result_file(folder / "teacher_eval.json", sample.result_file(teacher))
    in_turn = sample.turns(int8_ms, 100.0).model_copy(update={"baseline": "K-4"})
    quantized_student = measured(
        int8, "KQ-3", 0.9, int8_ms, latency=in_turn,
        quality=eight_bit_quality(), artifacts={"student_int8.onnx": "6" * 64},
        quantities={"scene_points": 1234.0, "nan_count": 0.0},
    )  # fmt: skip
    beside = {"role": "baseline", "baselines": {}}
    fp32 = measured(
        FP32, "KQ-3", 0.92, 100.0, artifacts={"student_fp32_best.pth": "5" * 64}, **beside
    )
    again = measured(sample.TEACHER, "KQ-3", 0.95, 200.0, **of_teacher, **beside)
    write_result_file(folder / "kq_eval.json", sample.result_file(quantized_student, fp32, again))
    layers = {"enc_blocks.0.mlp.fc2": 0.0056, "patch_embed.proj": 0.001}
    quantized = measured(exp_id("Q-1"), "Q-1", 0.9, 90.0, baselines={})
    file = sample.result_file(quantized, extra={"sensitivity": layers})
    write_result_file(folder / result_file("Q-1"), file)


class Slope:
    """A network that predicts a slope, in any unit: depth times `factor` on the left third."""

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def __call__(self, image1: Any, image2: Any) -> PairOutput:
        points = np.zeros((1, SIDE, SIDE, 3), np.float32)
        points[..., 2] = 7 * slope()
        points[:, :, : SIDE // 3, 2] *= self.factor
        sure = np.full((1, SIDE, SIDE), 2.0, np.float32)
        return PairOutput(points, sure, points, sure)


def slope() -> np.ndarray:
    """True depth (SIDE, SIDE) in metres."""
    rows: np.ndarray = np.mgrid[:SIDE, :SIDE][0].astype(np.float32)
    return 2 + rows / SIDE


def made_pair() -> Sample:
    """Two grey pictures of the slope; one corner's depth is unknown."""
    depth, camera = slope().astype(np.float64), np.diag([40.0, 40.0, 1.0])
    depth[:4, -4:] = 0
    picture = np.zeros((1, 3, SIDE, SIDE), np.float32)
    truth = PairTruth(depth, depth, camera, camera, np.eye(4))
    return Sample("pair 7, level/a view0 and view1", (picture, picture), truth)


def drawn_pairs() -> tuple[PairPictures, ...]:
    """Two pairs; INT8 is a third too far on the left third of each."""
    samples, chosen = {7: made_pair(), 3: made_pair()}, {7: "worst pair", 3: "best pair"}
    return draw_pairs(Slope(1.0), Slope(1.4), samples, chosen, [(0.9, 0.8)] * 8)  # type: ignore[arg-type]


def made_scene() -> str:
    """The page of a scene of two views."""
    rows, columns = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    depth = 2 + rows / SIDE
    points = np.stack([columns * depth / 40, rows * depth / 40, depth], -1)
    square = np.full((SIDE, SIDE, 3), 90, np.uint8)
    views = [
        View(
            label=label,
            photograph=Photograph(f'"{label}".jpg', (SIDE, SIDE), placement, square),
            focal=40.0,
            pose=np.eye(4),
            points=points,
            confidences=np.full((SIDE, SIDE), 4.0),
        )
        for label, placement in (("A", place(SIDE, SIDE, SIDE, Mode.CROP)),) * 2
    ]
    return render_scene("Scene", views, 3.0, [("Network", "student_int8.onnx")])


def illustrations() -> Illustrations:
    """Pictures of two pairs, and a scene."""
    return Illustrations(("a", "b", "c"), drawn_pairs(), made_scene())
