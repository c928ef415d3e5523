"""What a checkpoint holds once it is read."""

from dataclasses import dataclass
from typing import Literal

from dust_core.network.model import Dust3r, Dust3rConfig

Origin = Literal["dust", "published", "hub"]


@dataclass(frozen=True)
class Checkpoint:
    """A network and where it comes from.

    Attributes:
        network: on the CPU, in float32, in evaluation mode.
        origin: `dust` for our own format, `published` for the authors' file, `hub` for a folder.
        exp_id: the experiment that made it; None for what is not ours.
        spec_digest: SHA-256 of the task that made it; None for what is not ours.
        content_sha256: the digest in the file, which holds; None where the file has none.
    """

    network: Dust3r
    origin: Origin
    exp_id: str | None = None
    spec_digest: str | None = None
    content_sha256: str | None = None

    @property
    def config(self) -> Dust3rConfig:
        """The network's shapes."""
        return self.network.config
