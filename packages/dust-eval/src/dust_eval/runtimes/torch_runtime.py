"""PyTorch, eager: the reference for every other runtime."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from dust_core.errors import DustError
from dust_core.network.checkpoint import load_checkpoint
from dust_core.network.model import Dust3r, Features, PairPrediction
from dust_eval.arrays import Floats
from dust_eval.runtimes.base import PairOutput, RuntimeOptions
from dust_eval.runtimes.clock import Clock, DeviceClock, HostClock

_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class TorchModel:
    """A network in evaluation mode under a pinned precision."""

    runtime = "torch"
    size = None

    def __init__(self, network: Dust3r, options: RuntimeOptions) -> None:
        if options.device == "cuda" and not torch.cuda.is_available():
            raise DustError("PyTorch sees no CUDA device", fix="run with a profile for CPUs")
        torch.set_num_threads(options.threads)
        torch.backends.cuda.matmul.allow_tf32 = options.tf32
        torch.backends.cudnn.allow_tf32 = options.tf32
        self.version = torch.__version__
        self.options = options
        self.precision = options.precision
        # Eager operations are queued on the current stream.
        self.clock: Clock = (
            DeviceClock(torch.cuda.current_stream()) if options.device == "cuda" else HostClock()
        )
        self.network = network.to(options.device).eval()
        self._inputs: tuple[torch.Tensor, ...] = ()
        self._prediction: PairPrediction | None = None

    def __call__(self, image1: Floats, image2: Floats) -> PairOutput:
        self.prepare(image1, image2)
        self.execute()
        assert self._prediction is not None
        return _output(self._prediction)

    def encode(self, images: Sequence[Floats]) -> list[Features]:
        """Features of each image (1, 3, H, W), encoded in one batch if they have one shape."""
        if len({image.shape for image in images}) > 1:
            return [features for image in images for features in self.encode([image])]
        with torch.inference_mode(), self.autocast():
            stack = torch.from_numpy(np.concatenate(images)).to(self.options.device)
            tokens, grid = self.network.encode(stack)
        return [Features(tokens[number : number + 1], grid) for number in range(len(images))]

    def decode(self, first: Features, second: Features) -> PairOutput:
        """The prediction of a pair from the features of its images."""
        with torch.inference_mode(), self.autocast():
            return _output(self.network.decode(first, second))

    def prepare(self, image1: Floats, image2: Floats) -> None:
        self._inputs = tuple(
            torch.from_numpy(image).to(self.options.device) for image in (image1, image2)
        )

    def execute(self) -> None:
        with torch.inference_mode(), self.autocast():
            self._prediction = self.network(*self._inputs)

    def autocast(self) -> torch.autocast:
        """The context in which products run in the model's precision."""
        narrow = _TYPES.get(self.options.precision)
        return torch.autocast(self.options.device, narrow, enabled=narrow is not None)


def _output(prediction: PairPrediction) -> PairOutput:
    return PairOutput(*(tensor.float().cpu().numpy() for tensor in prediction))


def load(path: Path, options: RuntimeOptions) -> TorchModel:
    """Read a checkpoint."""
    return TorchModel(load_checkpoint(path, finite=False).network, options)
