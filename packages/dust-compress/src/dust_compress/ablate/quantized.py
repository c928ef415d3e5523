"""The graphs of P2's ablations: taken from the base task where equal, computed where not."""

import logging
from collections.abc import Sequence

from dust_compress.ablate.taken import Taken, takes, variant_path
from dust_compress.quantize.comparison import TEACHER
from dust_compress.quantize.origin import Origin
from dust_compress.quantize.prepare import export_by, quantize_by
from dust_core.declared.specs import ResolvedTask
from dust_core.declared.specs.names import exp_id
from dust_core.declared.specs.variants import Variant, base_experiment
from dust_core.network.checkpoint import load_checkpoint

_log = logging.getLogger("dust")


def quantize_variants(task: ResolvedTask, variants: Sequence[Variant], taken: Taken | None) -> None:
    """Write the graph of each variant: the teacher, quantized by the variant's policy.

    Raises:
        DustError: the calibration set is absent or too small, or a keep-list is wrong.
    """
    for variant in variants:
        if takes(task, variant, taken):
            continue
        _log.info("%s is quantized", variant.exp_id)
        network = load_checkpoint(TEACHER.path(task)).network
        quantize_by(variant.task, network, variant.task.common)
        origin = Origin(variant.exp_id, (exp_id(base_experiment(task)),))
        export_by(variant.task, network, variant_path(task, variant), origin)
