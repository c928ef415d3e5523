"""What a cut costs, by where it is made: `python benchmarks/students.py quality|latency`.

Students of several shapes are cut out of the profile's teacher, by shares of depth, heads and FFN
width, and refitted to embedded pairs as `specs/v1/distill.yaml` says. `quality` judges each on the
validation set as its training would begin; nothing is trained. --write puts the table into a
document, between the two marks that name this script, as in docs/distill.md. `latency` times the
same shapes with OpenVINO, in FP32 and in INT8 with floats in bf16, all in turn. It needs a quiet
machine.
"""

import argparse
import tempfile
from pathlib import Path
from typing import NamedTuple

import torch
from distill import on_embedded_set
from documents import write_between
from engine import SIDE, medians_ms, quantized

from dust_compress.distill.students import at_training_patches, start_student
from dust_compress.quantize.export import export_int8
from dust_compress.quantize.origin import Origin
from dust_compress.train.validation import validate_pairs
from dust_core.declared.project import ARTIFACTS, SPECS
from dust_core.declared.specs import ResolvedTask, load_specs, resolve
from dust_core.declared.specs.models.distill import DistillCommon
from dust_core.errors import DustError
from dust_core.network.checkpoint import load_checkpoint
from dust_core.network.model import Dust3r
from dust_core.network.model.cost import flops_giga, parameters_millions
from dust_core.network.onnx.export import export_onnx
from dust_eval.gates import reduction_percent
from dust_eval.runtimes import RuntimeOptions, load_model

TASK = "K-1"
BEGIN, END = "<!-- benchmarks/students.py quality -->", "<!-- end of shapes -->"


class Shape(NamedTuple):
    """Shares that a student loses."""

    depth: float = 0.0
    heads: float = 0.0
    ffn: float = 0.0

    def __str__(self) -> str:
        return " | ".join(f"{100 * share:.0f} %" for share in self)


SHAPES = (
    Shape(),
    Shape(depth=0.3),
    Shape(heads=0.3),
    Shape(ffn=0.3),
    Shape(ffn=0.5),
    Shape(ffn=0.65),
    Shape(ffn=0.8),
    Shape(heads=0.3, ffn=0.3),
    Shape(0.2, 0.2, 0.2),
    Shape(0.3, 0.3, 0.3),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("quality", "latency"))
    parser.add_argument("--profile", default="small")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--write", type=Path, metavar="FILE", help="the table of quality alone")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.set_grad_enabled(False)
    try:
        task = on_embedded_set(resolve(load_specs(SPECS), TASK, arguments.profile))
        teacher = load_checkpoint(ARTIFACTS / arguments.profile / "teacher_fp32.pth").network
        if arguments.what == "quality":
            show_quality(task, teacher, arguments.write)
        else:
            show_latency(task, teacher, arguments.threads, arguments.repeats)
    except DustError as error:
        raise SystemExit(str(error)) from error


def show_quality(task: ResolvedTask, teacher: Dust3r, file: Path | None) -> None:
    """Print the table of every shape's validation, and write it."""
    recipe = task.profile.training.distill
    validate = validate_pairs(task, recipe)
    guide = at_training_patches(teacher, recipe)
    lines = [
        "| depth | heads | FFN width | parameters, millions | GFLOP | loss | delta1 |",
        "|--:|--:|--:|--:|--:|--:|--:|",
    ]
    print("\n".join(lines), flush=True)
    for shape in SHAPES:
        student = cut_to(task, guide, shape, fit=any(shape))
        judged = validate(student)
        whole = cut_to(task, teacher, shape, fit=False)
        size, work = parameters_millions(whole), flops_giga(whole, SIDE, SIDE)
        judgement = f"{judged.score:.3f} | {judged.metrics['delta1']:.3f}"
        lines.append(f"| {shape} | {size:.1f} | {work:.1f} | {judgement} |")
        print(lines[-1], flush=True)
    if file is not None:
        heading = (
            f"Profile `{task.profile_name}`, no training, judged by "
            f"{task.profile.validation_pairs} validation pairs:"
        )
        write_between(BEGIN, END, "\n".join([heading, "", *lines]), file)


def show_latency(task: ResolvedTask, teacher: Dust3r, threads: int, repeats: int) -> None:
    """Print the median latency of every shape."""
    with tempfile.TemporaryDirectory() as folder:
        models = []
        for number, shape in enumerate(SHAPES):
            network = cut_to(task, teacher, shape, fit=False).eval()
            wide, int8 = (Path(folder) / f"{number}_{kind}.onnx" for kind in ("float", "int8"))
            export_onnx(network, wide)
            export_int8(quantized(network, SIDE), int8, Origin("KQ_INT8_run1"))
            for path, floats in ((wide, "fp32"), (int8, "bf16")):
                options = RuntimeOptions(precision=floats, threads=threads)
                models.append(load_model("openvino", path, options))
        medians = iter(medians_ms(models, repeats))
    print("| depth | heads | FFN width | FP32, ms | INT8, ms | INT8 down |")
    print("|--:|--:|--:|--:|--:|--:|")
    for shape, wide_ms, int8_ms in zip(SHAPES, medians, medians, strict=True):
        down = reduction_percent(int8_ms, wide_ms)
        print(f"| {shape} | {wide_ms:.1f} | {int8_ms:.1f} | {down:.1f} % |")


def cut_to(task: ResolvedTask, teacher: Dust3r, shape: Shape, *, fit: bool) -> Dust3r:
    """The student of that shape as its training begins, with the teacher's patches."""
    common = task.common
    assert isinstance(common, DistillCommon)
    declared = common.student.model_copy(update=shape._asdict())
    return start_student(task, teacher, declared, fit=fit)


if __name__ == "__main__":
    main()
