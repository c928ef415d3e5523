"""What a manifest says of all samples of a set."""

import io
from dataclasses import dataclass
from typing import Literal

from dust_core.pairs.shards.sample import Members, read_about


@dataclass
class Facts:
    """What the manifest says of all samples, gathered while they pass."""

    size: tuple[int, int] | None = None
    picture: Literal["jpg", "png"] = "jpg"

    def __post_init__(self) -> None:
        self.scenes: set[str] = set()

    def note(self, members: Members) -> None:
        """Gather what a sample says.

        Raises:
            DustError: it names no scene.
        """
        if self.size is None:
            from PIL import Image

            self.picture = "png" if "1.png" in members else "jpg"
            with Image.open(io.BytesIO(members[f"1.{self.picture}"])) as image:
                self.size = (image.height, image.width)
        self.scenes.add(read_about(members, "the sample to write")["scene"])
