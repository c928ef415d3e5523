"""Parameters and work of the named networks, and of students of two: `python benchmarks/shapes.py`.

The weights of a named network are not made: on torch's meta device it has shapes alone. A student
is cut from random weights by the shares of `specs/v1/distill.yaml`.
"""

from pathlib import Path

import torch

from dust_core.declared.specs import load_specs, resolve
from dust_core.network.model import Dust3r
from dust_core.network.model.cost import flops_giga, parameters_millions
from dust_core.network.model.named import CONFIGS
from dust_core.network.surgery.cut import Reduction, cut

SIDE = 512  # pixels; the work of a network for 224 pixels is that of its own size
TEACHERS = ("DUSt3R_ViTLarge_BaseDecoder_512_dpt", "small")


def main() -> None:
    """Print a line for each network."""
    teachers = {}
    for name, config in CONFIGS.items():
        with torch.device("meta"):
            network = Dust3r(config)
        side = 224 if "_224_" in name else SIDE
        size, work = parameters_millions(network), flops_giga(network, side, side)
        teachers[name] = size, work
        print(f"{name}: {size:.1f} M parameters, {work:,.1f} GFLOP a pair of {side} pixels")
    share = resolve(load_specs(Path("specs")), "K-1", "small").common.student
    reduction = Reduction(depth=share.depth, heads=share.heads, ffn=share.ffn)
    for name in TEACHERS:
        student = cut(Dust3r(CONFIGS[name]), reduction, ffn_multiple=share.ffn_multiple)
        size, work = parameters_millions(student), flops_giga(student, SIDE, SIDE)
        shares = size / teachers[name][0], work / teachers[name][1]
        print(
            f"a student of {name}: {size:.1f} M parameters ({shares[0]:.0%}), {work:,.1f} GFLOP "
            f"({shares[1]:.0%})"
        )


if __name__ == "__main__":
    main()
