"""Parameters and work of the named networks: `python benchmarks/shapes.py`.

The weights are not made: a network on torch's meta device has shapes alone.
"""

import torch

from dust_core.network.model import Dust3r
from dust_core.network.model.cost import flops_giga, parameters_millions
from dust_core.network.model.named import CONFIGS

SIDE = 512  # pixels; the work of a network for 224 pixels is that of its own size


def main() -> None:
    """Print a line for each network."""
    for name, config in CONFIGS.items():
        with torch.device("meta"):
            network = Dust3r(config)
        side = 224 if "_224_" in name else SIDE
        work = f"{flops_giga(network, side, side):,.1f} GFLOP a pair of {side} pixels"
        print(f"{name}: {parameters_millions(network):.1f} M parameters, {work}")


if __name__ == "__main__":
    main()
