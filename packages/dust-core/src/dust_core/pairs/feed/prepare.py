"""A batch on its way through the pipeline."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dust_core.pairs.feed.order import Adjustment, cut_intrinsics, mirror_pose
from dust_core.pairs.geometry import Floats
from dust_core.pairs.shards.sample import CAMERAS, DEPTHS, Members, picture_members, read_cameras


@dataclass
class PreparedBatch:
    """What DALI reads of some samples, and the cameras that stay beside it.

    Attributes:
        side: side of the images that the pipeline makes, pixels.
        columns: for each input of the pipeline one value a sample.
        units: the units of depth of both views of each sample, metres.
        cameras: K1, K2 (3, 3) of the adjusted views and the pose of view 2 in view 1 (4, 4).
    """

    side: int
    columns: dict[str, list[Any]] = field(default_factory=dict)
    units: list[tuple[float, float]] = field(default_factory=list)
    cameras: list[tuple[Floats, Floats, Floats]] = field(default_factory=list)

    def add(self, members: Members, where: str, adjustments: tuple[Adjustment, Adjustment]) -> None:
        """Append a sample.

        Args:
            where: shard and key, for messages.

        Raises:
            DustError: its cameras are damaged.
        """
        numbers = read_cameras(members[CAMERAS], where)
        pose = numbers[18:34].reshape(4, 4)
        k1, k2 = (numbers[start : start + 9].reshape(3, 3) for start in (0, 9))
        self.units.append((float(numbers[34]), float(numbers[35])))
        self.cameras.append(
            (
                cut_intrinsics(k1, adjustments[0], self.side),
                cut_intrinsics(k2, adjustments[1], self.side),
                mirror_pose(pose) if adjustments[0].mirror else pose,
            )
        )
        for index, (picture, depth, adjustment) in enumerate(
            zip(picture_members(members), DEPTHS, adjustments, strict=True)
        ):
            row = {
                "picture": np.frombuffer(members[picture], np.uint8),
                "depth": np.frombuffer(members[depth], np.uint8),
                "start": np.array(adjustment.start, np.float32),
                "end": np.array(adjustment.end, np.float32),
                "mirror": np.int32(adjustment.mirror),
                "brightness": np.float32(adjustment.brightness),
                "contrast": np.float32(adjustment.contrast),
                "saturation": np.float32(adjustment.saturation),
            }
            for name, value in row.items():
                self.columns.setdefault(f"{name}{index}", []).append(value)
