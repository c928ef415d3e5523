"""Names of the files that tasks write, derived from parameters, and the inverse.

Names of students, pruned networks and variants of ablations include their parameters. Any other
role has one file.
`student_fp32_sched.pth` is the standard schedule on the standard T = 3, beta = 0.5.
"""

import re
from dataclasses import dataclass
from typing import Literal

from dust_core.declared.specs.names.experiments import AblationName, DistillName, PruneName
from dust_core.declared.specs.names.vocabulary import BASE, STANDARD_SCHEDULE
from dust_core.errors import DustError

Role = Literal[
    "workload", "teacher", "student", "best_student", "pruned", "ptq_model", "quant_checkpoint",
    "quant_model",
    "quant_engine", "student_model", "student_engine", "evaluation", "log", "ablation", "variant",
    "table",
]  # fmt: skip

FIXED_NAMES: dict[Role, str] = {
    "workload": "workload.yaml",
    "teacher": "teacher_fp32.pth",
    "best_student": "student_fp32_best.pth",
    "ptq_model": "ptq_int8.onnx",
    "quant_checkpoint": "quant_ckpt.pth",
    "quant_model": "quantized_model.onnx",
    "quant_engine": "quantized_model.trt",
    "student_model": "student_int8.onnx",
    "student_engine": "student_int8.trt",
    "table": "result_table.csv",
}
_SUFFIXES: dict[Role, str] = {"evaluation": "_eval.json", "log": "_log.json"}
_SCHEDULED = DistillName(T=3.0, beta=0.5, schedule=STANDARD_SCHEDULE)
_OF_QUESTION = {"KEEP": ".onnx", "CALIB": ".onnx", "LOSS": ".pth"}
"""The suffix of a variant's network, by the question of its ablation."""
_STEM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True, kw_only=True)
class FileName:
    """The parts of a file's name.

    Attributes:
        role: the kind of content.
        of: the parameters of a student, a pruned network or a variant, without the run; else None.
        stem: what comes before `_eval.json` and `_log.json`, or after `ablation_`; else empty.
    """

    role: Role
    of: DistillName | PruneName | AblationName | None = None
    stem: str = ""


def file_name(name: FileName) -> str:
    """The name of a file, e.g. `student_fp32_t3b05.pth`."""
    if name.role in FIXED_NAMES:
        return FIXED_NAMES[name.role]
    if name.role in _SUFFIXES:
        return name.stem + _SUFFIXES[name.role]
    if name.role == "ablation":
        return f"ablation_{name.stem}.json"
    if isinstance(name.of, PruneName):
        return "_".join(["pruned", name.of.combo, *name.of.keyparams]) + ".pth"
    if isinstance(name.of, AblationName):
        parts = ["ablation", name.of.combo, name.of.variant]
        return "_".join(parts).lower() + _OF_QUESTION[name.of.combo]
    if isinstance(name.of, DistillName):
        parts = [name.of.combo, *name.of.keyparams]
        if (name.of.combo, name.of.keyparams) == (_SCHEDULED.combo, _SCHEDULED.keyparams):
            parts = ["sched"]
        return "_".join(["student_fp32", *parts]).lower() + ".pth"
    raise ValueError(f"a file of role {name.role!r} needs the parameters it is named after")


def parse_file_name(text: str) -> FileName:
    """The inverse of `file_name`: `file_name(parse_file_name(text)) == text`.

    Raises:
        DustError: no task writes a file of that name.
    """
    name = _read(text)
    if name is not None and file_name(name) == text:
        return name
    raise DustError(
        f"{text!r} is not the name of a task's file",
        fix="use *.pth, *.onnx, *.trt, *_eval.json, *_log.json or result_table.csv as in "
        "student_fp32_t3b05.pth; docs/specs.md lists the names",
    )


def _read(text: str) -> FileName | None:
    for role, fixed in FIXED_NAMES.items():
        if text == fixed:
            return FileName(role=role)
    for role, suffix in _SUFFIXES.items():
        stem = text.removesuffix(suffix)
        if stem != text and _STEM.fullmatch(stem):
            return FileName(role=role, stem=stem)
    if match := re.fullmatch(r"ablation_([a-z0-9]+)\.json", text):
        return FileName(role="ablation", stem=match[1])
    if match := re.fullmatch(r"ablation_([a-z]+)_([a-z0-9]+)\.(?:onnx|pth)", text):
        return _read_variant(match[1].upper(), match[2])
    if match := re.fullmatch(r"(student_fp32|pruned)_([a-z0-9_]+)\.pth", text):
        return _read_network(match[1], match[2].split("_"))
    return None


def _read_network(prefix: str, parts: list[str]) -> FileName | None:
    if prefix == "pruned":
        pruned = PruneName.read(parts[0], parts[1:], 1)
        return FileName(role="pruned", of=pruned) if pruned else None
    if parts == ["sched"]:
        return FileName(role="student", of=_SCHEDULED)
    student = DistillName.read(_letters_up(parts[0]), [_letters_up(p) for p in parts[1:]], 1)
    return FileName(role="student", of=student) if student else None


def _read_variant(question: str, code: str) -> FileName | None:
    """A variant by its code in lower case: `noln` of KEEP, `n128` of CALIB, `g01` of LOSS."""
    spelt = {"KEEP": f"no{code[2:].upper()}", "CALIB": code, "LOSS": code.upper()}
    keyparams = [] if code == BASE else [spelt.get(question, code)]
    variant = AblationName.read(question, keyparams, 1)
    return FileName(role="variant", of=variant) if variant else None


def _letters_up(part: str) -> str:
    """Undo the lower case of a file name: `t3b05` is `T3B05`, `g01` is `G01`, words stay words."""
    if part.startswith("sched"):
        return part.replace("schedb", "schedB")
    return re.sub(r"[tbg](?=[0-9])", lambda letter: letter[0].upper(), part)
