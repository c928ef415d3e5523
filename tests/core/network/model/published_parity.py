"""Weights and images by rule, for which the published network's outputs are known."""

import json
import re
import zlib
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

FOLDER = Path(__file__).with_name("parity")


@dataclass(frozen=True)
class Fixture:
    description: str
    size: tuple[int, int]
    stride: int
    parameters: int
    shapes: dict[str, list[int]]
    outputs: dict[str, np.ndarray]

    @classmethod
    def read(cls, name: str) -> "Fixture":
        values = json.loads((FOLDER / f"{name}.json").read_text())
        with np.load(FOLDER / f"{name}.npz") as outputs:
            return cls(
                values["model"],
                tuple(values["image_hw"]),
                values["stride"],
                values["parameters"],
                values["state_dict"],
                dict(outputs),
            )

    def published_file(self) -> dict[str, object]:
        """What the authors' checkpoint holds, with weights drawn by the rule."""
        weights = {key: torch.from_numpy(draw(key, shape)) for key, shape in self.shapes.items()}
        return {"args": Namespace(model=self.description), "model": weights}

    def images(self) -> tuple[torch.Tensor, torch.Tensor]:
        def draw_image(seed: int) -> torch.Tensor:
            generator = np.random.Generator(np.random.PCG64(seed))
            values = generator.uniform(-1, 1, (1, 3, *self.size))
            return torch.from_numpy(values.astype(np.float32))

        return draw_image(42), draw_image(43)


def draw(key: str, shape: list[int]) -> np.ndarray:
    """The weights of a key; an alias of a tensor has that tensor's."""
    name = re.sub(r"layer_rn\.(\d)\.", lambda m: f"layer{int(m[1]) + 1}_rn.", key)
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    normal = generator.standard_normal(shape, dtype=np.float32)
    if len(shape) == 1:
        return 1 + np.float32(0.1) * normal if key.endswith("weight") else np.float32(0.02) * normal
    return normal / np.sqrt(np.float32(np.prod(shape[1:])))


def log_space_errors(ours: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> float:
    """The largest error in direction (rad), log distance and log confidence."""
    errors = []
    for name, value in expected.items():
        a, b = ours[name].astype(np.float64), value.astype(np.float64)
        if name.startswith("conf"):
            errors.append(np.abs(np.log(a) - np.log(b)).max())
            continue
        norm_a, norm_b = (np.linalg.norm(x, axis=-1) for x in (a, b))
        errors.append(np.abs(np.log1p(norm_a) - np.log1p(norm_b)).max())
        cross = np.linalg.norm(np.cross(a, b), axis=-1)
        errors.append(np.arctan2(cross, (a * b).sum(-1)).max())
    return float(max(errors))
