"""W8A8: ranges, fake quantizers, quantization-aware training, Q/DQ graphs."""
