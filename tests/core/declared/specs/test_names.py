from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dust_core.declared.specs.names import (
    KEEP_FAMILIES,
    AblationName,
    BaselineName,
    DistillName,
    FileName,
    KQName,
    PruneName,
    QuantName,
    Schedule,
    exp_id,
    file_name,
    parse_exp_id,
    parse_file_name,
)
from dust_core.declared.specs.names.vocabulary import Calibrator, Criterion, KlForm
from dust_core.errors import DustError

STANDARD = Schedule(to=0.7, after=0.7)
RUN = st.integers(1, 999_999)
_LIKE_AN_ID = r"(K|Q|KQ|P|ABL|P0)_[A-Z0-9a-z_-]{1,20}_run\d"
DECIMAL = st.integers(0, 999_999).map(lambda n: n / 1_000_000)
DISTILL = st.builds(
    DistillName,
    T=st.integers(1_000_000, 20_000_000).map(lambda n: n / 1_000_000),
    beta=DECIMAL,
    gamma=DECIMAL,
    schedule=st.none() | st.builds(Schedule, to=DECIMAL, after=DECIMAL),
    kl=st.sampled_from(get_args(KlForm)),
    run=RUN,
)
QUANT = st.builds(
    QuantName,
    mode=st.sampled_from(["PTQ", "QAT"]),
    keep_list=st.sets(st.sampled_from(KEEP_FAMILIES)).map(
        lambda kept: tuple(f for f in KEEP_FAMILIES if f in kept)
    ),
    calibration_images=st.integers(1, 100_000),
    calibrator=st.sampled_from(get_args(Calibrator)),
    smoothing=st.none() | DECIMAL,
    bias_correction=st.booleans(),
    attention_products=st.booleans(),
    run=RUN,
)
PRUNE = st.builds(PruneName, rho=DECIMAL, criterion=st.sampled_from(get_args(Criterion)), run=RUN)
ABLATION = st.one_of(
    st.builds(
        AblationName,
        question=st.just("KEEP"),
        without=st.none() | st.sampled_from(KEEP_FAMILIES),
        run=RUN,
    ),
    st.builds(
        AblationName,
        question=st.just("CALIB"),
        calibration_images=st.none() | st.integers(1, 9999),
        run=RUN,
    ),
    st.builds(AblationName, question=st.just("LOSS"), gamma=st.none() | DECIMAL, run=RUN),
)
ANY = st.one_of(
    st.builds(BaselineName, what=st.sampled_from(["TRAIN", "FP32"]), run=RUN),
    DISTILL,
    QUANT,
    st.builds(KQName, run=RUN),
    PRUNE,
    ABLATION,
)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (DistillName(T=3, beta=0.5, schedule=STANDARD), "K_T3B05_sched_run1"),
        (QuantName(mode="QAT"), "Q_QAT_keepLN_run1"),
        (KQName(), "KQ_INT8_run1"),
        (PruneName(rho=0.1), "P_r010_run1"),
        (DistillName(T=5, beta=0.5), "K_T5B05_run1"),
        (DistillName(T=2.5, beta=0.55, gamma=0.1, kl="attention"), "K_T2p5B055_G01-attn_run1"),
        (
            QuantName(mode="PTQ", calibrator="mse", smoothing=0.5, run=3),
            "Q_PTQ_keepLN-mse-smooth05_run3",
        ),
        (
            QuantName(mode="PTQ", keep_list=("layernorm", "attn_scale", "rope", "head_last")),
            "Q_PTQ_keepLNHLnoSMnoPP_run1",
        ),
        (QuantName(mode="PTQ", keep_list=KEEP_FAMILIES[1:]), "Q_PTQ_keepPEHLnoLN_run1"),
        (AblationName(question="KEEP", without="softmax"), "ABL_KEEP_noSM_run1"),
    ],
)
def test_ids_are_spelled_as_designed(name, text: str) -> None:
    assert exp_id(name) == text
    assert parse_exp_id(text) == name


@given(ANY)
def test_every_id_reads_back_as_what_it_names(name) -> None:
    assert parse_exp_id(exp_id(name)) == name


@given(ANY, ANY)
def test_different_parameters_have_different_ids(first, second) -> None:
    assert (exp_id(first) == exp_id(second)) == (first == second)


@given(st.text(max_size=40) | st.from_regex(_LIKE_AN_ID, fullmatch=True))
def test_any_text_is_an_id_in_its_one_spelling_or_refused(text: str) -> None:
    try:
        assert exp_id(parse_exp_id(text)) == text
    except DustError as error:
        assert "is not an experiment id" in error.what


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (FileName(role="student", of=DistillName(T=3, beta=0.5)), "student_fp32_t3b05.pth"),
        (FileName(role="student", of=DistillName(T=5, beta=0.5)), "student_fp32_t5b05.pth"),
        (
            FileName(role="student", of=DistillName(T=3, beta=0.5, schedule=STANDARD)),
            "student_fp32_sched.pth",
        ),
        (FileName(role="pruned", of=PruneName(rho=0.1)), "pruned_r010.pth"),
        (FileName(role="pruned", of=PruneName(rho=0.3)), "pruned_r030.pth"),
        (FileName(role="best_student"), "student_fp32_best.pth"),
        (FileName(role="student_engine"), "student_int8.trt"),
        (FileName(role="evaluation", stem="kq"), "kq_eval.json"),
        (FileName(role="log", stem="distill"), "distill_log.json"),
        (FileName(role="ablation", stem="keep"), "ablation_keep.json"),
        (
            FileName(role="variant", of=AblationName(question="KEEP", without="layernorm")),
            "ablation_keep_noln.onnx",
        ),
        (FileName(role="variant", of=AblationName(question="KEEP")), "ablation_keep_base.onnx"),
        (
            FileName(role="variant", of=AblationName(question="CALIB", calibration_images=128)),
            "ablation_calib_n128.onnx",
        ),
        (
            FileName(role="variant", of=AblationName(question="LOSS", gamma=0.1)),
            "ablation_loss_g01.pth",
        ),
        (FileName(role="table"), "result_table.csv"),
    ],
)
def test_files_are_named_as_designed(name: FileName, text: str) -> None:
    assert file_name(name) == text
    assert parse_file_name(text) == name


@given(DISTILL | PRUNE)
def test_a_network_file_names_its_parameters(name) -> None:
    role = "pruned" if isinstance(name, PruneName) else "student"
    read_back = parse_file_name(file_name(FileName(role=role, of=name)))
    assert read_back.role == role and read_back.of is not None
    assert (read_back.of.combo, read_back.of.keyparams) == (name.combo, name.keyparams)


@pytest.mark.parametrize("text", ["student.pth", "../kq_eval.json", "a b_eval.json", "x.bin", ""])
def test_other_file_names_are_refused(text: str) -> None:
    with pytest.raises(DustError, match="is not the name of a task's file"):
        parse_file_name(text)
