"""The ablations on a repository in miniature: what a variant is, what is taken, what is not."""

import shutil
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from declared_specs import exp_id, result_file, variant
from miniature_repository import quick

from dust_compress.ablate.executors import ablate_loss, ablate_quantization
from dust_compress.ablate.taken import executed_base
from dust_compress.distill.students import distill
from dust_compress.quantize.export import read_origin
from dust_compress.quantize.ptq import ptq
from dust_compress.quantize.rules import RULES
from dust_core.declared.checks.subjects import Graph
from dust_core.declared.records import Result, ResultFile, read_result_file
from dust_core.declared.specs import ResolvedTask, load_specs, resolve
from dust_core.declared.specs.models.ablation import CalibrationVariant
from dust_core.declared.specs.variants import networks_of
from dust_core.errors import DustError
from dust_core.files import sha256_file
from dust_core.network.checkpoint import load_checkpoint, save_checkpoint
from dust_eval.gates.claims import claim_outcomes
from dust_eval.gates.stage import judge_task

ROOT = Path(__file__).parents[3]
IMAGES = 8  # the miniature's four pairs; the spec asks for 512
FEWER = 4
ARTIFACTS = Path("artifacts/ci")
WITHOUT, WITH = (variant("ABL-3", name) for name in ("G00", "G01"))  # the loss on features


def declared(root: Path, name: str) -> ResolvedTask:
    """A task under ci in the size of the miniature, an ablation with its base."""
    resolved = quick(resolve(load_specs(root / "specs"), name, "ci"))
    references = {other: declared(root, other) for other in resolved.references}
    changes: dict[str, object] = {}
    match name:
        case "Q-1":
            changes = {"calibration_images": IMAGES}
        case "ABL-2":
            sizes = (FEWER, IMAGES)
            variants = [CalibrationVariant.model_construct(calibration_images=n) for n in sizes]
            outputs = [f"ablation_calib_n{n}.onnx" for n in sizes]
            changes = {
                "variants": tuple(variants),
                "outputs": ("ablation_calib.json", *outputs),
                "claims": (),
            }
    task = resolved.task.model_copy(update=changes)
    return replace(resolved, task=task, references=references)


@pytest.fixture(scope="module")
def executed(evaluated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose two bases were executed beside the evaluated teacher."""
    root = tmp_path_factory.mktemp("ablated") / "repository"
    shutil.copytree(evaluated, root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        ptq(declared(root, "Q-1"))
        distill(declared(root, "K-1"))
    return root


@pytest.fixture
def root(executed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = tmp_path / "repository"
    shutil.copytree(executed, copy)
    monkeypatch.chdir(copy)
    return copy


def results(file: ResultFile) -> dict[str, Result]:
    return {str(result.exp_id): result for result in file.results}


def before(path: Path, operator: str) -> list[str]:
    """What writes the first input of every node of an operator."""
    graph = onnx.load(path).graph
    writers = {output: node.op_type for node in graph.node for output in node.output}
    return [writers.get(node.input[0], "") for node in graph.node if node.op_type == operator]


def test_a_family_off_the_keep_list_reads_eight_bits_and_no_other_does(root: Path) -> None:
    ablate_quantization(declared(root, "ABL-1"))
    graphs = {name: ARTIFACTS / f"ablation_keep_{name}.onnx" for name in ("base", "noln", "nosm")}
    eight_bit = {
        (name, operator)
        for name, path in graphs.items()
        for operator in ("LayerNormalization", "Softmax")
        if set(before(path, operator)) == {"DequantizeLinear"}
    }
    assert eight_bit == {("noln", "LayerNormalization"), ("nosm", "Softmax")}
    for path in graphs.values():
        assert before(path, "LayerNormalization") and before(path, "Softmax")
        found = [f.found for rule in RULES for f in rule.check(Graph(path.name, path))]
        assert found == [], path.name
    assert read_origin(graphs["noln"]).exp_id == variant("ABL-1", "noLN")

    file = read_result_file(ARTIFACTS / "ablation_keep.json")
    own = results(file)
    assert [(r.exp_id, r.provenance.role) for r in file.results] == [
        (exp_id("ABL-1"), "reference"),
        (variant("ABL-1", "noLN"), "candidate"),
        (variant("ABL-1", "noSM"), "candidate"),
        (exp_id("P0-2"), "baseline"),
    ]
    assert [(v.gate, v.status) for v in file.verdicts] == [("evidence_complete", "pass")] * 2
    kept = own[variant("ABL-1", "noSM")].record
    assert kept is not None and kept.keep_list == ("layernorm", "attn_scale", "rope", "postprocess")
    # The base is the network of Q-1, byte for byte.
    assert sha256_file(graphs["base"]) == sha256_file(ARTIFACTS / "ptq_int8.onnx")
    turns = {len(result.provenance.latency.candidate_ms) for result in own.values()}
    assert turns == {5}
    task = declared(root, "ABL-1")
    outcomes = claim_outcomes(task, file, judge_task(task, {"ABL-1": file}))
    assert [(claim.claim.of, claim.claim.against) for claim in outcomes] == [
        ("noLN", "noSM"), ("noLN", "base"), ("noSM", "base"),
    ]  # fmt: skip
    assert all(claim.value is not None for claim in outcomes)


def test_the_number_of_images_that_the_base_has_is_taken_from_it(root: Path) -> None:
    own = declared(root, "ABL-2")
    ablate_quantization(own)
    file = read_result_file(ARTIFACTS / "ablation_calib.json")
    fewer, same = (variant("ABL-2", f"n{count}") for count in (FEWER, IMAGES))
    assert set(results(file)) == {fewer, same, exp_id("P0-2")}
    source = ARTIFACTS / "ptq_int8.onnx"
    assert sha256_file(ARTIFACTS / f"ablation_calib_n{IMAGES}.onnx") == sha256_file(source)
    assert sha256_file(ARTIFACTS / f"ablation_calib_n{FEWER}.onnx") != sha256_file(source)
    taken = file.extra["taken"]
    assert isinstance(taken, dict) and set(taken) == {same}
    assert taken[same]["sha256"] == sha256_file(source)
    record = results(file)[same].record
    assert record is not None and "the network of Q-1" in str(record.notes)
    (first,) = read_result_file(ARTIFACTS / result_file("Q-1")).candidates
    assert results(file)[same].provenance.per_pair == first.provenance.per_pair


def test_a_loss_like_that_of_k1_trains_nothing_and_another_does(root: Path) -> None:
    own = declared(root, "ABL-3")
    ablate_loss(own)
    file = read_result_file(ARTIFACTS / "ablation_loss.json")
    none, some = (results(file)[name] for name in (WITHOUT, WITH))
    students = [ARTIFACTS / f"ablation_loss_{name}.pth" for name in ("g00", "g01")]
    base = ARTIFACTS / "student_fp32_t3b05.pth"
    assert [sha256_file(path) == sha256_file(base) for path in students] == [True, False]
    assert none.record is not None and some.record is not None
    assert (none.record.gamma, some.record.gamma) == (0.0, 0.1)
    assert none.provenance.reasons["gpu_hours"] == "counted in the record of K-1"
    assert "of 1 is best" in str(some.record.notes)
    trainings = file.extra["trainings"]
    assert isinstance(trainings, dict) and set(trainings) == {WITH}
    assert "train/features" in trainings[WITH]["curves"][0][0]
    assert len(list((ARTIFACTS / ".work").glob("ABL-3-*/"))) == 1


@pytest.mark.parametrize("changed", ["nothing", "teacher", "student", "result", "spec", "recipe"])
def test_a_changed_base_is_not_taken(root: Path, changed: str) -> None:
    own = declared(root, "ABL-3")
    student = ARTIFACTS / "student_fp32_t3b05.pth"
    match changed:
        case "teacher":
            path = ARTIFACTS / "teacher_fp32.pth"
            teacher = load_checkpoint(path).network
            save_checkpoint(teacher, path, exp_id="P0_TRAIN_run9")
        case "student":
            save_checkpoint(load_checkpoint(student).network, student, exp_id="K_T3B05_run9")
        case "result":
            (ARTIFACTS / result_file("K-1")).unlink()
        case "spec":
            base = replace(own.references["K-1"], digest="0" * 64)
            own = replace(own, references={"K-1": base})
        case "recipe":
            own = by_own_recipe(own)
    taken = executed_base(own)
    assert (taken is not None) == (changed == "nothing")
    assert taken is None or taken.sha256 == sha256_file(student)


def test_a_base_that_was_not_executed_is_computed(root: Path) -> None:
    (ARTIFACTS / result_file("K-1")).unlink()
    ablate_loss(declared(root, "ABL-3"))
    file = read_result_file(ARTIFACTS / "ablation_loss.json")
    assert file.extra["taken"] == {}
    assert set(file.extra["trainings"]) == {WITHOUT, WITH}
    assert len(list((ARTIFACTS / ".work").glob("ABL-3-*/"))) == 2, "each has its own folder"
    students = [ARTIFACTS / f"ablation_loss_{name}.pth" for name in ("g00", "g01")]
    assert sha256_file(students[0]) != sha256_file(ARTIFACTS / "student_fp32_t3b05.pth")
    assert [verdict.status for verdict in file.verdicts] == ["pass", "pass"]


def by_own_recipe(own: ResolvedTask) -> ResolvedTask:
    """An ablation whose profile trains the variants at twice P1's learning rate."""
    training = own.profile.training
    recipe = training.distill.model_copy(update={"lr": 2 * training.distill.lr})
    changed = training.model_copy(update={"ablate_loss": recipe})
    return replace(own, profile=own.profile.model_copy(update={"training": changed}))


def test_every_variant_is_trained_by_the_recipe_of_the_ablation() -> None:
    own = declared(ROOT, "ABL-3")
    changed = by_own_recipe(own)
    recipes = [variant.task.profile.training.distill for variant in networks_of(changed)]
    assert recipes == [changed.profile.training.ablate_loss] * 2
    assert [variant.is_base for variant in networks_of(changed)] == [True, False]
    recipes = [variant.task.profile.training.distill for variant in networks_of(own)]
    assert recipes == [own.profile.training.distill] * 2


def test_a_variant_whose_parameters_differ_is_never_the_base() -> None:
    own = declared(ROOT, "ABL-3")
    base = own.references["K-1"]
    moved = replace(base, task=base.task.model_copy(update={"gamma": 0.1}))
    networks = networks_of(replace(own, references={"K-1": moved}))
    assert [network.name.variant for network in networks if network.is_base] == ["G01"]
    moved = replace(base, task=base.task.model_copy(update={"gamma": 0.3}))
    with pytest.raises(DustError, match=r"ablation_loss_base\.pth is no output"):
        networks_of(replace(own, references={"K-1": moved}))


def test_a_base_that_cannot_be_varied_is_one_clear_error() -> None:
    own = declared(ROOT, "ABL-1")
    wrong = replace(own, references={"Q-1": declared(ROOT, "K-1")})
    with pytest.raises(DustError, match="ABL-1 varies a task that does ptq, and Q-1 does distill"):
        ablate_quantization(wrong)
