"""The parameters that name an experiment: a class for each stage, with its parts of an id.

`combo` holds what every experiment of the stage has, `keyparams` only what differs from the stage's
standard. `read` is the inverse of both. It may accept several spellings, because `parse_exp_id`
compares the result with the spelling that `exp_id` writes.
"""

import re
from dataclasses import dataclass
from typing import ClassVar, Literal, Self, get_args

from dust_core.declared.specs.names.vocabulary import (
    BASE,
    KEEP_CODES,
    KEEP_FAMILIES,
    KL_CODES,
    STANDARD_CALIBRATION,
    STANDARD_CALIBRATOR,
    STANDARD_CRITERION,
    STANDARD_KEEP,
    STANDARD_KL,
    STANDARD_SCHEDULE,
    Calibrator,
    Criterion,
    KeepFamily,
    KlForm,
    Schedule,
    decimal_code,
    decimal_value,
    temperature_code,
    temperature_value,
)

Baseline = Literal["TRAIN", "FP32"]
Mode = Literal["PTQ", "QAT"]
Question = Literal["KEEP", "CALIB", "LOSS"]
_KEEP = re.compile(r"keep((?:[A-Z]{2})*)((?:no[A-Z]{2})*)")
_SCHEDULE = re.compile(r"schedB([0-9]{2,7})at([0-9]{2,7})")


@dataclass(frozen=True, kw_only=True)
class BaselineName:
    """P0: training the teacher (`TRAIN`) or evaluating it (`FP32`)."""

    stage: ClassVar = "P0"
    what: Baseline
    run: int = 1

    @property
    def combo(self) -> str:
        return self.what

    @property
    def keyparams(self) -> list[str]:
        return []

    @classmethod
    def read(cls, combo: str, keyparams: list[str], run: int) -> Self | None:
        for what in get_args(Baseline):
            if combo == what:
                return cls(what=what, run=run)
        return None


@dataclass(frozen=True, kw_only=True)
class DistillName:
    """P1: temperature T, weight beta of the KL term and gamma of the feature term."""

    stage: ClassVar = "K"
    T: float
    beta: float
    gamma: float = 0.0
    schedule: Schedule | None = None
    kl: KlForm = STANDARD_KL
    run: int = 1

    @property
    def combo(self) -> str:
        return f"T{temperature_code(self.T)}B{decimal_code(self.beta)}"

    @property
    def keyparams(self) -> list[str]:
        parts = [f"G{decimal_code(self.gamma)}"] if self.gamma else []
        if self.schedule == STANDARD_SCHEDULE:
            parts.append("sched")
        elif self.schedule:
            to, after = decimal_code(self.schedule.to), decimal_code(self.schedule.after)
            parts.append(f"schedB{to}at{after}")
        return parts + ([] if self.kl == STANDARD_KL else [KL_CODES[self.kl]])

    @classmethod
    def read(cls, combo: str, keyparams: list[str], run: int) -> Self | None:
        match = re.fullmatch(r"T([0-9]{1,3}(?:p[0-9]{1,6})?)B([0-9]{2,7})", combo)
        if not match:
            return None
        gamma, schedule, kl = 0.0, None, STANDARD_KL
        forms = {code: form for form, code in KL_CODES.items()}
        for part in keyparams:
            if part == "sched":
                schedule = STANDARD_SCHEDULE
            elif change := _SCHEDULE.fullmatch(part):
                to, after = map(decimal_value, change.groups())
                schedule = Schedule(to=to, after=after)
            elif re.fullmatch(r"G[0-9]{2,7}", part):
                gamma = decimal_value(part[1:])
            elif part in forms:
                kl = forms[part]
            else:
                return None
        T, beta = temperature_value(match[1]), decimal_value(match[2])
        return cls(T=T, beta=beta, gamma=gamma, schedule=schedule, kl=kl, run=run)


@dataclass(frozen=True, kw_only=True)
class QuantName:
    """P2: post-training quantization or quantization-aware training, under a keep-list.

    The id always names LayerNorm, because it is open whether it has to stay in float (`keepLN`, or
    `keepnoLN`). By default softmax, the attention scale, RoPE and post-processing stay in float;
    patches and the heads' last layers do not. `keepLNPEnoSM` reverses this for patches and softmax.
    """

    stage: ClassVar = "Q"
    mode: Mode
    keep_list: tuple[KeepFamily, ...] = STANDARD_KEEP
    calibration_images: int = STANDARD_CALIBRATION
    calibrator: Calibrator = STANDARD_CALIBRATOR
    smoothing: float | None = None
    attention_products: bool = False
    bias_correction: bool = True
    run: int = 1

    @property
    def combo(self) -> str:
        return self.mode

    @property
    def keyparams(self) -> list[str]:
        named = [f for f in self.keep_list if f == "layernorm" or f not in STANDARD_KEEP]
        kept = "".join(KEEP_CODES[family] for family in KEEP_FAMILIES if family in named)
        missing = [KEEP_CODES[family] for family in STANDARD_KEEP if family not in self.keep_list]
        parts = [f"keep{kept}" + "".join(f"no{code}" for code in missing)]
        if self.calibration_images != STANDARD_CALIBRATION:
            parts.append(f"n{self.calibration_images}")
        if self.calibrator != STANDARD_CALIBRATOR:
            parts.append(self.calibrator)
        if self.smoothing is not None:
            parts.append(f"smooth{decimal_code(self.smoothing)}")
        parts += ["attn8"] if self.attention_products else []
        return parts + ([] if self.bias_correction else ["nobc"])

    @classmethod
    def read(cls, combo: str, keyparams: list[str], run: int) -> Self | None:
        keep = _KEEP.fullmatch(keyparams[0]) if keyparams else None
        mode = next((mode for mode in get_args(Mode) if mode == combo), None)
        if keep is None or mode is None:
            return None
        named, missing = re.findall("..", keep[1]), keep[2].split("no")[1:]
        images, smoothing, products, corrected = STANDARD_CALIBRATION, None, False, True
        calibrator: Calibrator = STANDARD_CALIBRATOR
        for part in keyparams[1:]:
            if re.fullmatch(r"n[1-9][0-9]{0,8}", part):
                images = int(part[1:])
            elif re.fullmatch(r"smooth[0-9]{2,7}", part):
                smoothing = decimal_value(part[6:])
            elif known := [name for name in get_args(Calibrator) if name == part]:
                calibrator = known[0]
            elif part == "attn8":
                products = True
            elif part == "nobc":
                corrected = False
            else:
                return None
        return cls(
            mode=mode,
            keep_list=tuple(
                family
                for family, code in KEEP_CODES.items()
                if code in named or (family in STANDARD_KEEP and code not in missing)
            ),
            calibration_images=images,
            calibrator=calibrator,
            smoothing=smoothing,
            attention_products=products,
            bias_correction=corrected,
            run=run,
        )


@dataclass(frozen=True, kw_only=True)
class KQName:
    """P3: the best student under P2's policy, so the id names nothing else."""

    stage: ClassVar = "KQ"
    run: int = 1

    @property
    def combo(self) -> str:
        return "INT8"

    @property
    def keyparams(self) -> list[str]:
        return []

    @classmethod
    def read(cls, combo: str, keyparams: list[str], run: int) -> Self | None:
        return cls(run=run)


@dataclass(frozen=True, kw_only=True)
class PruneName:
    """P4: the fraction rho that is removed, and the importance criterion."""

    stage: ClassVar = "P"
    rho: float
    criterion: Criterion = STANDARD_CRITERION
    run: int = 1

    @property
    def combo(self) -> str:
        return f"r{decimal_code(self.rho, 2)}"

    @property
    def keyparams(self) -> list[str]:
        return [] if self.criterion == STANDARD_CRITERION else [self.criterion]

    @classmethod
    def read(cls, combo: str, keyparams: list[str], run: int) -> Self | None:
        criterion = keyparams[0] if keyparams else STANDARD_CRITERION
        for known in get_args(Criterion):
            if re.fullmatch(r"r[0-9]{3,7}", combo) and criterion == known:
                return cls(rho=decimal_value(combo[1:]), criterion=known, run=run)
        return None


@dataclass(frozen=True, kw_only=True)
class AblationName:
    """P5: an ablation and one of its variants; without a variant, the ablation and its base.

    At most one of `without` (KEEP), `calibration_images` (CALIB) and `gamma` (LOSS) is set.
    """

    stage: ClassVar = "ABL"
    question: Question
    without: KeepFamily | None = None
    calibration_images: int | None = None
    gamma: float | None = None
    run: int = 1

    @property
    def combo(self) -> str:
        return self.question

    @property
    def keyparams(self) -> list[str]:
        if self.without is not None:
            return [f"no{KEEP_CODES[self.without]}"]
        if self.calibration_images is not None:
            return [f"n{self.calibration_images}"]
        return [] if self.gamma is None else [f"G{decimal_code(self.gamma)}"]

    @property
    def is_variant(self) -> bool:
        """Whether one parameter is changed."""
        return bool(self.keyparams)

    @property
    def variant(self) -> str:
        """The variant's name within its ablation, such as `noLN`; `base` without a variant."""
        return next(iter(self.keyparams), BASE)

    @classmethod
    def read(cls, combo: str, keyparams: list[str], run: int) -> Self | None:
        answer = keyparams[0] if keyparams else ""
        match combo:
            case "KEEP" | "CALIB" | "LOSS" if not keyparams:
                return cls(question=combo, run=run)
            case "KEEP":
                for family, code in KEEP_CODES.items():
                    if answer == f"no{code}":
                        return cls(question=combo, without=family, run=run)
            case "CALIB" if re.fullmatch(r"n[1-9][0-9]{0,8}", answer):
                return cls(question=combo, calibration_images=int(answer[1:]), run=run)
            case "LOSS" if re.fullmatch(r"G[0-9]{2,7}", answer):
                return cls(question=combo, gamma=decimal_value(answer[1:]), run=run)
        return None


ExperimentName = BaselineName | DistillName | QuantName | KQName | PruneName | AblationName
EXPERIMENT_NAMES: tuple[type[ExperimentName], ...] = get_args(ExperimentName)
