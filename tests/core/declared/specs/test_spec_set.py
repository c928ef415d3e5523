import re
from collections.abc import Callable
from pathlib import Path

import pytest
from declared_specs import more_repeats, specs, variant
from hypothesis import given
from hypothesis import strategies as st

from dust_core.declared.specs import load_specs, read_specs, resolve
from dust_core.errors import DustError

ROOT = Path(__file__).parents[4] / "specs"
FILES = {
    f"specs/{p.relative_to(ROOT).as_posix()}": p.read_bytes()
    for p in (*ROOT.glob("v1/*.yaml"), *ROOT.glob("profiles/*.yaml"))
}
TASKS = [
    *("P0-1", "P0-teacher", "P0-2", "P0-3"),
    *("K-1", "K-2", "K-3", "K-4"),
    *("Q-1", "Q-2", "Q-3", "Q-4"),
    *("KQ-1", "KQ-2", "KQ-3"),
    *("P-1", "P-2", "P-3"),
    *("ABL-1", "ABL-2", "ABL-3"),
]
FEWER = ("v1/quant", "calibration_images: 512", "calibration_images: 600")
SLOWER = ("profiles/small", "threads: 2", "threads: 1")


def edited(file: str, old: str, new: str, *, after: str = "") -> dict[str, bytes]:
    path = f"specs/{file}.yaml"
    text = FILES[path].decode()
    before, mark, rest = text.partition(after) if after else ("", "", text)
    assert old in rest, f"{old!r} is not in {path}"
    return FILES | {path: (before + mark + rest.replace(old, new, 1)).encode()}


def digests(files: dict[str, bytes], profile: str = "small") -> dict[str, str]:
    specs = read_specs(files)
    return {task: resolve(specs, task, profile).digest for task in specs.tasks}


def changed(files: dict[str, bytes]) -> set[str]:
    before = digests(FILES)
    return {task for task, digest in digests(files).items() if before[task] != digest}


def test_every_task_of_the_design_is_declared_under_its_own_id() -> None:
    specs = load_specs(ROOT)
    assert list(specs.tasks) == TASKS
    for task_id in TASKS:
        for profile in ("small", "ci", "full"):
            task = resolve(specs, task_id, profile)
            assert task.exp_id == task.task.exp_id
    assert list(specs.stage("p3")) == ["KQ-1", "KQ-2", "KQ-3"]
    assert list(specs.stage("K")) == ["K-1", "K-2", "K-3", "K-4"]


def test_the_four_examples_of_the_design_are_the_declared_ids() -> None:
    specs = load_specs(ROOT)
    declared = (str(specs.task(task).exp_id) for task in ("K-3", "Q-2", "KQ-2", "P-1"))
    combos = {name.rpartition("_run")[0] for name in declared}  # a changed experiment runs again
    assert combos == {"K_T3B05_sched", "Q_QAT_keepLN", "KQ_INT8", "P_r010"}


@pytest.mark.parametrize(
    ("file", "old", "new", "stale"),
    [
        ("v1/distill", "T: 5\n", "T: 4\n", {"K-2"}),
        ("v1/distill", "alpha: 0.2", "alpha: 0.3", {"K-1", "K-2", "K-3", "K-4", "ABL-3"}),
        (
            "v1/quant",
            "calibration_images: 512",
            "calibration_images: 600",
            {"Q-1", "ABL-1", "ABL-2"},
        ),
        ("v1/gates", "value: 3.0", "value: 2.0", {"P-1", "P-2", "P-3"}),
        ("v1/workload", *more_repeats(), set(TASKS)),
    ],
)
def test_a_digest_changes_with_what_decides_its_task_alone(
    file: str, old: str, new: str, stale: set[str]
) -> None:
    assert changed(edited(file, old, new)) == stale


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("v1/distill", "spec:\n", "# a comment\nspec:\n"),
        ("v1/distill", "title: Distill at T = 5", "title: Hotter"),
        ("v1/distill", "expected_gpu_hours: 40", "expected_gpu_hours: 41"),
        ("v1/distill", "T: 5\n", "T: 5.0\n"),
        ("v1/distill", "beta: 0.5\n      gamma: 0.0\n", "gamma: 0.0\n      beta: 0.5\n"),
        ("profiles/small", "threads: 2", "threads: 4"),
        ("v1/workload", "; see data/LICENCES.md", ""),
    ],
)
def test_prose_order_spelling_and_profiles_leave_digests_alone(
    file: str, old: str, new: str
) -> None:
    assert changed(edited(file, old, new)) == set()


def test_a_profile_has_its_own_digest_and_its_own_data() -> None:
    small = resolve(read_specs(FILES), "KQ-3", "small")
    slower = resolve(read_specs(edited(*SLOWER)), "KQ-3", "small")
    full = resolve(read_specs(FILES), "KQ-3", "full")
    assert small.profile_digest != slower.profile_digest
    assert small.workload_digest == slower.workload_digest != full.workload_digest
    assert full.data.workload.manifest.startswith("data/full/")


def test_a_recipe_for_an_ablation_is_no_change_to_what_other_tasks_measured() -> None:
    recipe = specs().profile("small").training.ablate_loss
    assert recipe is not None
    batches = (f"batch: {batch}\n" for batch in (recipe.batch, 2 * recipe.batch))
    other = read_specs(edited("profiles/small", *batches, after="    ablate_loss:\n"))
    was, now = (
        {name: resolve(each, name, "small").profile_digest for name in ("KQ-3", "K-1", "ABL-3")}
        for each in (read_specs(FILES), other)
    )
    assert [name for name in was if was[name] != now[name]] == ["ABL-3"]


REFUSED: dict[str, tuple[Callable[[], dict[str, bytes]], str]] = {
    "few calibration images": (
        lambda: edited("v1/quant", "calibration_images: 512", "calibration_images: 256"),
        r"quant\.yaml:\d+:\d+: .*256 is not from 512 to 100000",
    ),
    "another shape": (
        lambda: edited("v1/workload", "height: 512", "height: 384"),
        "384 is not 512: engines are built for one shape",
    ),
    "another batch": (lambda: edited("v1/workload", "batch: 1", "batch: 2"), "2 is not 1: engines"),
    "another graph": (lambda: edited("v1/workload", "k: 4", "k: 3"), "3 is not 4: the workload"),
    "another seed": (lambda: edited("v1/workload", "seed: 42", "seed: 7"), "7 is not 42: one seed"),
    "four bits": (
        lambda: edited("v1/quant", "bits: 8", "bits: 4"),
        "4 is not 8: the policy is W8A8",
    ),
    "per-tensor weights": (
        lambda: edited("v1/quant", "per_channel", "per_tensor"),
        "per_tensor is not per_channel",
    ),
    "an unknown family": (
        lambda: edited("v1/quant", "softmax,", "soft_max,"),
        "'soft_max' is not a family of operators",
    ),
    "too many epochs": (
        lambda: edited("v1/distill", "epochs: 30", "epochs: 31"),
        "31 is not from 10 to 30",
    ),
    "an unknown key": (
        lambda: edited("v1/distill", "patience: 3", "patiense: 3"),
        r"K-1\.patiense: there is no such field; did you mean patience\? \(and 1 more\)",
    ),
    "a text for a number": (
        lambda: edited("v1/distill", "T: 5", 'T: "5"'),
        r'spec\.tasks\.K-2\.T: found "5", expected a number',
    ),
    "a line in a profile": (
        lambda: edited("profiles/small", "threads: 2", "threads: 2\n  gates: {}"),
        r"spec\.gates: there is no such field; expected quotable, ",
    ),
    "a claim about a network that is none": (
        lambda: edited("v1/ablation", "against: noSM", "against: noPE"),
        "noPE is no network of this ablation: noLN, noSM, base, teacher",
    ),
    "a variant without a file": (
        lambda: edited("v1/ablation", ", ablation_keep_nosm.onnx", ""),
        "ablation_keep_nosm.onnx is absent: the network of each variant is an output",
    ),
    "a variant twice": (
        lambda: edited("v1/ablation", "{without: softmax}", "{without: layernorm}"),
        f"{variant('ABL-1', 'noLN')} is there already",
    ),
    "an unknown action": (
        lambda: edited("v1/distill", "on_failure: stop", "on_failure: halt"),
        r"'halt' is not stop, record or \{escalate: TASK\}",
    ),
    "a waiver until a number": (
        lambda: edited(
            "v1/gates",
            "      metric: t_pair",
            "      waiver: {from: 1, to: 2, reason: a, owner: b, approved_by: c, expires: 86400}\n"
            "      metric: t_pair",
        ),
        r"waiver\.expires: found 86400, expected a date such as 2027-01-31",
    ),
    "a second file of a kind": (
        lambda: FILES | {"specs/v1/more.yaml": FILES["specs/v1/distill.yaml"]},
        "a second Distill; the first is in specs/v1/distill.yaml",
    ),
    "a second profile of a name": (
        lambda: FILES | {"specs/profiles/x.yaml": FILES["specs/profiles/ci.yaml"]},
        "a second profile 'ci'",
    ),
    "no kind": (lambda: edited("v1/distill", "kind: Distill", "kind: Distil"), "kind is 'Distil'"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_wrong_value_is_refused_at_its_place(fault: str) -> None:
    make, message = REFUSED[fault]
    with pytest.raises(DustError, match=message) as caught:
        read_specs(make())
    assert re.search(r"\.yaml:\d+:\d+$", caught.value.where)


def test_a_misspelled_task_or_profile_gets_its_nearest() -> None:
    specs = load_specs(ROOT)
    with pytest.raises(DustError, match=r"no task 'KQ-22'.*\n.*did you mean KQ-2"):
        specs.task("KQ-22")
    with pytest.raises(DustError, match=r"no profile 'smal'.*\n.*did you mean small"):
        resolve(specs, "K-1", "smal")
    with pytest.raises(DustError, match=r"no stage 'P9'.*\n.*one of P0, P1, P2, P3, P4, P5"):
        specs.stage("p9")
    with pytest.raises(DustError, match=r"KQ-3 is a task, not a stage\n.*its stage is P3"):
        specs.stage("kq-3")


def test_an_empty_folder_is_one_message(tmp_path: Path) -> None:
    with pytest.raises(DustError, match="there are no specs"):
        load_specs(tmp_path)


@given(st.sampled_from(sorted(FILES)), st.data())
def test_a_damaged_file_is_never_a_traceback(path: str, data: st.DataObject) -> None:
    content = bytearray(FILES[path])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        specs = read_specs(FILES | {path: bytes(content)})
        assert specs.files
    except DustError as error:
        assert error.where and error.fix
