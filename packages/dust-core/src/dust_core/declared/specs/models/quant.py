"""P2: the teacher in eight bits."""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, StringConstraints

from dust_core.declared.specs.models.base import SpecFile, SpecModel, Task
from dust_core.declared.specs.models.constraints import Bool, Int, Number, OneOf, Within, refuse
from dust_core.declared.specs.names import KEEP_FAMILIES, QuantName
from dust_core.declared.specs.names.vocabulary import Calibrator, KeepFamily

_W8A8 = "the policy is W8A8, weights per channel, activations per tensor, zero point 0"
Bits = Annotated[Int, OneOf((8,), "precision", _W8A8)]
CalibrationImages = Annotated[
    Int,
    Within(512, 100_000, "calibration_size", "ranges need 512 images; only ABL-2 measures fewer"),
]
FineTuneEpochs = Annotated[Int, Within(10, 15, "epochs", "fine-tuning runs 10 to 15 epochs")]


def _keep_list(families: tuple[str, ...]) -> tuple[str, ...]:
    for index, family in enumerate(families):
        if family not in KEEP_FAMILIES:
            raise refuse(
                "keep_list",
                "{found} is not a family of operators: {expected}",
                index=index,
                found=repr(family)[:60],
                expected=", ".join(KEEP_FAMILIES),
            )
        if family in families[:index]:
            raise refuse("keep_list", "{found} is listed twice", index=index, found=repr(family))
    return tuple(family for family in KEEP_FAMILIES if family in families)


KeepList = Annotated[
    tuple[str, ...],
    AfterValidator(_keep_list),
    Field(
        description="Families of operators that stay in float: " + ", ".join(KEEP_FAMILIES) + ".",
        examples=[["layernorm", "softmax", "attn_scale"]],
        json_schema_extra={
            "items": {"type": "string", "enum": list(KEEP_FAMILIES)},
            "uniqueItems": True,
        },
    ),
]


class Weights(SpecModel):
    """How weights are quantized."""

    bits: Bits = Field(description="Bits of a weight.", examples=[8])
    granularity: Annotated[str, OneOf(("per_channel",), "precision", _W8A8)] = Field(
        description="One scale for each output channel.", examples=["per_channel"]
    )


class Activations(SpecModel):
    """How activations are quantized."""

    bits: Bits = Field(description="Bits of an activation.", examples=[8])
    granularity: Annotated[str, OneOf(("per_tensor",), "precision", _W8A8)] = Field(
        description="One scale for the tensor.", examples=["per_tensor"]
    )


class Policy(SpecModel):
    """What is quantized, and how ranges are chosen."""

    weights: Weights = Field(description="Weights of linear operators.")
    activations: Activations = Field(description="Inputs of linear operators.")
    keep_list: KeepList
    attention_products: Bool = Field(
        description="Whether the two products of attention are quantized too.", examples=[False]
    )
    calibrator: Calibrator = Field(
        description="How a range is chosen: max, percentile or mse.", examples=["percentile"]
    )
    percentile: Number = Field(
        ge=99,
        le=100,
        description="Share of magnitudes inside the range, in percent; read by the percentile "
        "calibrator.",
        examples=[99.99],
    )
    smoothing: Annotated[Number, Field(gt=0, lt=1)] | None = Field(
        description="Strength alpha with which LayerNorm's channel scales are folded into the "
        "weights (SmoothQuant, arXiv:2211.10438); null turns it off.",
        examples=[0.5, None],
    )
    bias_correction: Bool = Field(
        description="Whether each layer's mean error on calibration images is subtracted from its "
        "bias (arXiv:1906.04721), where no training with quantizers follows.",
        examples=[True],
    )


class QuantTask(Task):
    """A task of P2 or P3 that produces a quantized network."""

    calibration_images: CalibrationImages = Field(
        description="Images that ranges are calibrated on.", examples=[512]
    )

    def quant_name(self, policy: Policy, mode: Literal["PTQ", "QAT"]) -> QuantName:
        """The name of this task's experiment under a policy."""
        kept: tuple[KeepFamily, ...] = tuple(f for f in KEEP_FAMILIES if f in policy.keep_list)
        return QuantName(
            mode=mode,
            keep_list=kept,
            calibration_images=self.calibration_images,
            calibrator=policy.calibrator,
            smoothing=policy.smoothing,
            attention_products=policy.attention_products,
            bias_correction=policy.bias_correction,
            run=self.run,
        )


class PtqTask(QuantTask):
    """Quantize without training."""

    does: Literal["ptq"] = Field(description="Executor.", examples=["ptq"])

    def experiment(self, common: Policy) -> QuantName:
        return self.quant_name(common, "PTQ")


class QatLoss(SpecModel):
    """(1 - beta) task + beta KL_T to the target that the network learns from."""

    alpha: Number = Field(
        gt=0, le=1, description="Weight of -log C in the confidence loss.", examples=[0.2]
    )
    beta: Number = Field(ge=0, le=1, description="Weight of the KL term.", examples=[0.5])
    T: Annotated[Number, Within(1, 20, "temperature", "p^(1/T) is softer for T >= 1")] = Field(
        description="Temperature of the KL term.", examples=[1]
    )
    confidence_clamp: Number = Field(
        gt=1, le=1000, description="Upper limit of confidences in the KL term.", examples=[100.0]
    )


_QUANTIZED_SHARE = {"last_third": 1 / 3}
"""Share of the epochs with quantizers on, by the schedule's name."""


class QatSchedule(QuantTask):
    """Fine-tuning that ends with quantizers on."""

    LATER = frozenset({"loss"})

    epochs: FineTuneEpochs = Field(
        description="Epochs; the profile sets their size.", examples=[12]
    )
    quantizers: Literal["last_third"] = Field(
        description="When quantizers are on: the last third of the epochs.", examples=["last_third"]
    )
    learn_from: Literal["float_outputs"] = Field(
        description="Target: the outputs of the float network that is quantized.",
        examples=["float_outputs"],
    )
    loss: QatLoss = Field(
        default=QatLoss(alpha=0.2, beta=0.5, T=1, confidence_clamp=100.0),
        description="Training loss.",
    )

    @property
    def quantized_epochs(self) -> int:
        """Epochs with quantizers on, rounded."""
        return round(self.epochs * _QUANTIZED_SHARE[self.quantizers])


class QatTask(QatSchedule):
    """Fine-tune the teacher with quantizers."""

    does: Literal["qat"] = Field(description="Executor.", examples=["qat"])

    def experiment(self, common: Policy) -> QuantName:
        return self.quant_name(common, "QAT")


class BuildEngine(Task):
    """Export to ONNX with Q/DQ and compile."""

    does: Literal["build-engine"] = Field(description="Executor.", examples=["build-engine"])
    opset: Annotated[Int, OneOf((19,), "opset", "Q/DQ of FP16 scales needs opset 19")] = Field(
        description="ONNX operator set.", examples=[19]
    )


class EvaluateQuant(Task):
    """Measure the quantized teacher beside the FP32 one, and the 16-bit one for comparison."""

    does: Literal["evaluate-quant"] = Field(description="Executor.", examples=["evaluate-quant"])


QuantTaskId = Annotated[str, StringConstraints(pattern=r"^Q-[0-9a-z][0-9a-z-]*$")]
AnyQuantTask = Annotated[
    PtqTask | QatTask | BuildEngine | EvaluateQuant, Field(discriminator="does")
]


class QuantSpec(SpecModel):
    """The tasks of P2."""

    common: Policy = Field(description="The quantization policy that all tasks share.")
    tasks: dict[QuantTaskId, AnyQuantTask] = Field(description="Tasks by id, Q-...")


class Quant(SpecFile):
    """quant.yaml: P2."""

    STAGE: ClassVar = "Q"
    kind: Literal["Quant"] = Field(description="The kind of file.", examples=["Quant"])
    spec: QuantSpec = Field(description="Policy and tasks.")
