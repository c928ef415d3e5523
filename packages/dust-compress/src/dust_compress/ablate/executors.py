"""The executors of P5: `ablate-keep`, `ablate-calibration` and `ablate-loss`."""

from dust_compress.ablate.measured import measure_variants
from dust_compress.ablate.taken import executed_base
from dust_compress.ablate.trained import save_variants, train_variants
from dust_compress.train.distributed import all_ranks
from dust_core.declared.specs import ResolvedTask
from dust_core.declared.specs.variants import networks_of
from dust_eval.measure.execution import begin
from dust_eval.measure.floats import floats_of


def ablate_quantization(task: ResolvedTask) -> None:
    """Quantize the teacher by each variant of the base task's policy, and measure all together.

    Raises:
        DustError: a file or the calibration set is absent or damaged, or the ablation's base,
            outputs or keep-list are wrong.
    """
    from dust_compress.ablate.quantized import quantize_variants  # modelopt, for these tasks alone

    variants = networks_of(task)
    execution, taken = begin(task), executed_base(task)
    quantize_variants(task, variants, taken)
    floats = floats_of(task).precision
    measure_variants(execution, variants, taken, f"int8+{floats}")  # type: ignore[arg-type]


def ablate_loss(task: ResolvedTask) -> None:
    """Distill a student by each variant of the base task's loss, and measure all together.

    Raises:
        DustError: a file or a training set is absent or damaged, a training was stopped, or the
            ablation's base or outputs are wrong.
    """
    variants = networks_of(task)
    execution, taken = begin(task), executed_base(task)
    with all_ranks(task):
        trained = train_variants(task, variants, taken)
    save_variants(task, variants, taken, trained)
    outcomes = {name: training.outcomes for name, training in trained.items()}
    measure_variants(execution, variants, taken, "fp32", outcomes)
