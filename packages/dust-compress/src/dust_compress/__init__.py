"""DUST's compression: distillation, quantization, pruning, engines and ablations."""

__version__ = "0.1.0"
