"""Attention with optional eight-bit inputs of its two products and its softmax."""

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from dust_core.network.model.blocks import Attend, scale_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it warns of every optional package that is absent
    from modelopt.torch.quantization.config import QuantizerAttributeConfig
    from modelopt.torch.quantization.nn import TensorQuantizer


class QuantizedAttend(Attend):
    """Attention in its three steps, with a quantizer for each of their inputs.

    modelopt's own quantized attention omits the softmax's output. That output is the hardest of the
    four inputs: most weights are far below the largest, and one scale has to fit all.
    """

    def __init__(self, activations: Mapping[str, Any], *, products: bool, softmax: bool) -> None:
        super().__init__()

        def quantizer(enable: bool) -> TensorQuantizer:
            return TensorQuantizer(QuantizerAttributeConfig(**activations, enable=enable))

        self.query_quantizer, self.key_quantizer = quantizer(products), quantizer(products)
        self.scores_quantizer = quantizer(softmax)
        self.weights_quantizer, self.value_quantizer = quantizer(products), quantizer(products)

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        if not any(quantizer.is_enabled for quantizer in self.children()):
            return super().forward(q, k, v)
        # Keys are quantized in the product's layout, so that no operation separates the two.
        scores = self.query_quantizer(q) @ self.key_quantizer(k.transpose(-2, -1))
        weights = self.scores_quantizer(scores * scale_of(q)).softmax(-1)
        attended: Tensor = self.weights_quantizer(weights) @ self.value_quantizer(v)
        return attended


def quantize_attention(
    network: nn.Module, activations: Mapping[str, Any], *, products: bool, softmax: bool
) -> None:
    """Put quantizers into every attention of the network, in place.

    Args:
        activations: the attributes of an activation's quantizer, as modelopt names them.
        products: whether queries, keys, the softmax's output and values have a quantizer.
        softmax: whether the softmax's input has a quantizer.
    """
    for block in list(_with_attention(network)):
        block.attend = QuantizedAttend(activations, products=products, softmax=softmax)


def _with_attention(network: nn.Module) -> Iterator[nn.Module]:
    return (
        block for block in network.modules() if isinstance(getattr(block, "attend", None), Attend)
    )
