"""PROT: every experiment follows one protocol, so that figures can be compared."""

from dust_core.declared.checks.finding import Finding
from dust_core.declared.checks.rules.base import ModelRule
from dust_core.declared.checks.subjects import YamlFile
from dust_core.declared.reading.faults import ModelFault
from dust_core.declared.reading.wording import one_of


class StaticShape(ModelRule):
    """Engines are built for one shape: a pair is two images of 1 x 3 x 512 x 512."""

    id = "PROT001"
    title = "the input shape is not the protocol's"
    fix = "write height: 512, width: 512 and batch: 1"
    codes = ("static_shape",)


class PairGraph(ModelRule):
    """The workload is a swin graph with K = 4: each image with its four neighbours, 20 pairs in
    total.
    """

    id = "PROT002"
    title = "the pair graph is not the protocol's"
    fix = "write kind: swin, k: 4 and pairs: 20"
    codes = ("pair_graph",)


class Seed(ModelRule):
    """Every random choice uses one seed, so that two runs differ only in what is declared."""

    id = "PROT003"
    title = "the seed is not the protocol's"
    fix = "write seed: 42"
    codes = ("seed",)


class QualityMetrics(ModelRule):
    """Four metrics are reported (absrel, rmse, delta1, chamfer). The lines bind delta1."""

    id = "PROT004"
    title = "the quality metrics are not the protocol's"
    fix = "write metrics: [absrel, rmse, delta1, chamfer] and primary: delta1"
    codes = ("quality_metrics", "primary_metric")


class Timing(ModelRule):
    """Latency is the median and the 95th percentile of at least 50 calls. Calls of candidate and
    baseline alternate.
    """

    id = "PROT005"
    title = "the timing protocol is weaker than agreed"
    fix = "write repeats: 50 or more, and percentiles: [50, 95]"
    codes = ("timing",)


class SceneProtocol(ModelRule):
    """t_scene_s is the time of all pairs of five images, in both orders, and their global
    alignment."""

    id = "PROT006"
    title = "the scene protocol is not the agreed one"
    fix = "write images: 5 and symmetric: true"
    codes = ("scene",)


class Epochs(ModelRule):
    """Distillation runs 10 to 30 epochs, fine-tuning of quantized and pruned networks 10 to 15. The
    profile sets the size of an epoch.
    """

    id = "PROT007"
    title = "the number of epochs is outside the agreed range"
    fix = "choose a number in the range, and set pairs_per_epoch in the profile"
    codes = ("epochs",)


class CalibrationSize(ModelRule):
    """Quantization ranges need 512 images or more. Only ABL-2 also measures 128 and 256."""

    id = "PROT008"
    title = "the number of calibration images is not an agreed number"
    fix = "write calibration_images: 512 or more; in ABL-2 one of 128, 256 and 512"
    codes = ("calibration_size",)


class Precision(ModelRule):
    """The policy is W8A8: eight bits, weights per channel, activations per tensor, zero point 0."""

    id = "PROT009"
    title = "the quantization is not W8A8 as agreed"
    fix = "write bits: 8 twice, per_channel for weights and per_tensor for activations"
    codes = ("precision",)


class KeepList(ModelRule):
    """The keep-list names the families of operators that stay in float, each once:

    keep_list: [layernorm, softmax, attn_scale, rope, postprocess]
    """

    id = "PROT010"
    title = "the keep-list names a family that does not exist, or one twice"
    fix = "correct the name, or remove the repetition"
    codes = ("keep_list",)

    def report(self, subject: YamlFile, fault: ModelFault) -> Finding:
        expected = one_of(fault.choices) or "each family once"
        return self.finding(subject.place(fault.loc), fault.value, expected, choices=fault.choices)


class StudentShare(ModelRule):
    """Students lose about 30 % of depth, of heads and of FFN width (0.2 to 0.4 each). Embedding
    widths stay, so that features can be compared without a projection.
    """

    id = "PROT011"
    title = "the student is not about 30 % smaller"
    fix = "write fractions between 0.2 and 0.4"
    codes = ("student_share",)


class Temperature(ModelRule):
    """p^(1/T) softens a distribution for T >= 1. Beyond 20 it is almost uniform."""

    id = "PROT012"
    title = "the distillation temperature is outside its range"
    fix = "choose T between 1 and 20"
    codes = ("temperature",)


class Rho(ModelRule):
    """rho is the fraction that pruning removes, not a percentage: 0.1, not 10."""

    id = "PROT013"
    title = "the pruned fraction is outside its range"
    fix = "write a fraction between 0.05 and 0.5"
    codes = ("rho",)


class Opset(ModelRule):
    """Graphs are exported with ONNX opset 19, the first opset whose Q/DQ accepts FP16 scales."""

    id = "PROT014"
    title = "the ONNX opset is not the agreed one"
    fix = "write opset: 19"
    codes = ("opset",)


class OnFailure(ModelRule):
    """`on_failure` says what a missed line leads to: `stop`, `record` or `{escalate: TASK}`."""

    id = "PROT015"
    title = "on_failure is not a known action"
    fix = "write on_failure: stop, on_failure: record, or on_failure: {escalate: Q-2}"
    codes = ("on_failure",)
    expected = "stop, record or {escalate: TASK}"


RULES = (
    StaticShape(),
    PairGraph(),
    Seed(),
    QualityMetrics(),
    Timing(),
    SceneProtocol(),
    Epochs(),
    CalibrationSize(),
    Precision(),
    KeepList(),
    StudentShare(),
    Temperature(),
    Rho(),
    Opset(),
    OnFailure(),
)
