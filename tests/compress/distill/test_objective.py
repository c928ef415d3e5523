"""What a student is trained for, on a tiny teacher."""

from pathlib import Path

import pytest
import torch

from dust_compress.distill.objective import DistillObjective, Weights
from dust_compress.distill.students import largest_rise
from dust_core.declared.specs.models.distill import BetaSchedule, DistillLoss
from dust_core.errors import DustError
from dust_core.network.model import Dust3r, Dust3rConfig
from dust_core.network.surgery.cut import Reduction, cut
from dust_core.pairs.feed.feed import PairBatch

TINY = Dust3rConfig.uniform(
    enc_dim=32, enc_depth=3, enc_heads=2, dec_dim=32, dec_depth=3, dec_heads=2, head="linear"
)
LOSS = {
    "task": "conf_loss",
    "alpha": 0.2,
    "kl": "radial_laplace",
    "confidence_clamp": 100.0,
    "mask_below_confidence": 1.0,
    "features": ["enc_norm", "decoder_hooks"],
    "feature_distance": "cosine",
}


def batch() -> PairBatch:
    generator = torch.Generator().manual_seed(0)
    images = 2 * torch.rand(2, 2, 3, 32, 32, generator=generator) - 1
    depths = 1 + torch.rand(2, 2, 32, 32, generator=generator)
    intrinsics = torch.tensor([[40.0, 0, 15.5], [0, 40.0, 15.5], [0, 0, 1]]).repeat(2, 1, 1)
    pose = torch.eye(4).repeat(2, 1, 1)
    pose[:, 0, 3] = 0.3
    return PairBatch(*images, *depths, intrinsics, intrinsics, pose)


def objective(**changes: object) -> DistillObjective:
    torch.manual_seed(0)
    teacher = Dust3r(TINY)
    student = cut(teacher, Reduction(depth=0.3, heads=0.3, ffn=0.3))
    weights = {"temperature": 3.0, "beta": 0.5, "gamma": 0.0} | {
        key: value for key, value in changes.items() if key not in LOSS
    }
    loss = LOSS | {key: value for key, value in changes.items() if key in LOSS}
    return DistillObjective(student, teacher, DistillLoss.model_validate(loss), Weights(**weights))


def test_the_total_is_the_declared_sum() -> None:
    parts = objective(gamma=0.1)(batch(), 0.0)
    expected = 0.5 * parts["task"] + 0.5 * parts["kl"] + 0.1 * parts["features"]
    torch.testing.assert_close(parts["total"], expected)
    assert "features" not in objective()(batch(), 0.0)


def test_beta_changes_when_its_share_of_the_epochs_is_done() -> None:
    learner = objective(schedule=BetaSchedule(to=0.7, after=0.7))
    for progress, beta in ((0.0, 0.5), (0.69, 0.5), (0.7, 0.7), (1.0, 0.7)):
        parts = learner(batch(), progress)
        expected = (1 - beta) * parts["task"] + beta * parts["kl"]
        torch.testing.assert_close(parts["total"], expected)


def test_beta_changes_by_the_progress_of_all_stages() -> None:
    schedule = BetaSchedule(to=0.7, after=0.7)
    for span, progress, beta in (
        ((0.0, 0.6), 1.0, 0.5),
        ((0.6, 1.0), 0.2, 0.5),
        ((0.6, 1.0), 0.3, 0.7),
    ):
        learner = objective(schedule=schedule)
        learner.span = span
        parts = learner(batch(), progress)
        expected = (1 - beta) * parts["task"] + beta * parts["kl"]
        torch.testing.assert_close(parts["total"], expected)


def test_only_the_student_learns_and_only_it_is_saved() -> None:
    learner = objective(gamma=0.1)
    teacher = learner._teacher[0]
    learner(batch(), 0.0)["total"].backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in learner.network.parameters())
    assert all(p.grad is None and not p.requires_grad for p in teacher.parameters())
    assert {id(p) for p in learner.parameters()} == {id(p) for p in learner.network.parameters()}


def test_a_student_that_is_the_teacher_has_nothing_to_learn_from_it() -> None:
    torch.manual_seed(0)
    teacher = Dust3r(TINY)
    same = cut(teacher, Reduction(depth=0, heads=0, ffn=0))
    weights = Weights(temperature=3.0, beta=0.5, gamma=0.1)
    parts = DistillObjective(same, teacher, DistillLoss.model_validate(LOSS), weights)(batch(), 0.0)
    assert float(parts["kl"].detach()) == pytest.approx(0, abs=1e-4)
    assert float(parts["features"].detach()) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("form", ["radial_laplace", "conf_softmax", "correlation", "attention"])
def test_every_form_pulls_the_student_to_the_teacher(form: str) -> None:
    learner = objective(kl=form, beta=1.0)
    optimiser = torch.optim.Adam(learner.parameters(), lr=1e-3)
    divergences = []
    for _ in range(8):
        optimiser.zero_grad()
        parts = learner(batch(), 0.0)
        parts["total"].backward()
        optimiser.step()
        divergences.append(float(parts["kl"].detach()))
    assert 0 < divergences[-1] < 0.9 * divergences[0]
    assert all(weight.grad is None for weight in learner._teacher[0].parameters())


@pytest.mark.parametrize("form", ["correlation", "attention"])
def test_a_student_that_is_the_teacher_diverges_in_no_form(form: str) -> None:
    torch.manual_seed(0)
    teacher = Dust3r(TINY)
    same = cut(teacher, Reduction(depth=0.0, heads=0.0, ffn=0.0))
    loss = DistillLoss.model_validate(LOSS | {"kl": form})
    learner = DistillObjective(same, teacher, loss, Weights(temperature=3.0, beta=0.5, gamma=0.0))
    assert float(learner(batch(), 0.0)["kl"].detach()) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(
    ("losses", "rise"),
    [([1.0], 0), ([1.0, 0.5, 0.4], 0), ([1.0, 0.5, 0.6, 0.4, 0.42], 20), ([1.0, 1.05], 5)],
)
def test_the_rise_is_measured_from_the_lowest_point_so_far(losses: list, rise: float) -> None:
    assert largest_rise(losses) == pytest.approx(rise)


def test_the_published_teacher_is_asked_for_by_name_licence_and_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dust_compress.teacher import _checked
    from dust_core.declared.specs.models.profile import Checkpoint

    wanted = Checkpoint(
        name="DUSt3R_512",
        path="checkpoints/dust3r.pth",
        sha256="0" * 64,
        licence="CC BY-NC-SA 4.0",
        source="the authors' page",
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DustError) as absent:
        _checked(wanted)
    for expected in ("DUSt3R_512", "CC BY-NC-SA 4.0", "the authors' page", "0" * 64):
        assert expected in str(absent.value)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / wanted.path).write_bytes(b"another")
    with pytest.raises(DustError, match="this is not the DUSt3R_512"):
        _checked(wanted)
