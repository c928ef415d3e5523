"""`dust review` as a reviewer reads it: few reasons, and none against an honest proposal."""

import re

import pytest

from dust_eval.review.judged import Judged, TaskResult
from dust_eval.review.verdicts import compare, doubts


@pytest.fixture
def generated(repository):
    """The repository with everything that is generated, as its base."""
    for command in (("pipeline",), ("spec", "schema"), ("spec", "docs")):
        assert repository.dust(*command).code == 0
    repository.commit("what is generated")
    repository.git("branch", "--force", "main")
    return repository


def edit(repository, name, old, new, after=""):
    path = repository.root / "specs" / "v1" / name
    before, mark, rest = path.read_text().partition(after) if after else ("", "", path.read_text())
    assert old in rest
    path.write_text(before + mark + rest.replace(old, new, 1))
    assert repository.dust("pipeline").code == 0
    repository.commit("change")


def reasons(text):
    count = re.search(r"^## Not to be merged as it is: (\d+) reason", text, re.MULTILINE)
    listed = re.findall(r"^- `(.*)`$", text.partition("compared with")[0], re.MULTILINE)
    assert int(count[1]) == len(listed)
    return listed


def test_the_next_run_of_an_experiment_may_be_merged(generated):
    text = (generated.root / "specs" / "v1" / "baseline.yaml").read_text()
    run = int(re.search(r"P0-2:.*?run: (\d+)", text, re.DOTALL)[1])
    old, new = (f"run: {n}\n      exp_id: P0_FP32_run{n}" for n in (run, run + 1))
    edit(generated, "baseline.yaml", old, new, after="P0-2:")
    done = generated.dust("review", "main")
    assert done.code == 0, done.out
    assert done.out.startswith("## May be merged\n\n**Approving this approves ")
    assert "Not to be believed" not in done.out
    assert re.search(r"<details><summary>\d+ stages to run: [\d.]+ GPU hours</summary>", done.out)


def test_what_is_not_committed_is_named_and_not_reviewed(generated):
    edit(generated, "gates.yaml", "value: 50", "value: 60")
    assert "specs/" not in generated.dust("review", "main").err
    for name in ("gates.yaml", "kq.yaml", "prune.yaml"):
        with (generated.root / "specs" / "v1" / name).open("a") as file:
            file.write("# a doubt\n")
    (generated.root / "new.txt").write_text("")
    done = generated.dust("review", "main")
    assert "a doubt" not in done.out
    named = ", ".join(f"specs/v1/{name}.yaml" for name in ("gates", "kq", "prune"))
    assert done.err.startswith(f"note: what is not committed was not reviewed: {named} and ")
    assert "read the specs as they are here" in done.err


def test_a_loosened_line_gives_a_few_reasons_and_the_line_first(generated):
    edit(generated, "gates.yaml", "value: 1.0", "value: 20.0", after="quality_kept:")
    done = generated.dust("review", "main")
    assert done.code == 1
    found = reasons(done.out)
    assert found[0].startswith("the line quality_kept is loosened")
    assert len(found) <= 4
    assert sum("GATE001" in reason for reason in found) == 1


def test_a_wrong_id_is_said_once(generated):
    edit(generated, "distill.yaml", "exp_id: K_T3B05_sched", "exp_id: K_T6B05_sched")
    done = generated.dust("review", "main")
    assert done.code == 1
    found = reasons(done.out)
    assert len(found) == 1, found
    (reason,) = found
    assert "NAME001" in reason


def test_a_corrected_title_changes_no_meaning(generated):
    edit(generated, "distill.yaml", "title: Distill at T = 3", "title: Distil at T = 3")
    done = generated.dust("review", "main")
    assert done.code == 0
    assert done.out.startswith("## May be merged\n\n**No change in meaning.**")


def test_a_result_that_changed_is_no_outdated_one(generated):
    forged = generated.made_up("K-1", 0.97, teacher=0.5)  # beside another teacher than P0-2's
    generated.executed(P0_2=generated.made_up("P0-2"), K_1=forged)
    generated.commit("another result")
    done = generated.dust("review", "main")
    assert done.code == 1
    assert "Not to be believed" in done.out


@pytest.mark.parametrize(
    ("before", "content", "again", "doubted"),
    [
        ((), "a", ["K-4"], False),  # the specs changed, and its stage has to run again
        ((), "a", [], True),
        ((), "b", ["K-4"], True),  # the pull request brings this result
        (("K-4.json: PROOF003 it cannot be",), "a", ["K-4"], True),
    ],
)
def test_only_what_the_change_makes_outdated_is_not_doubted(before, content, again, doubted):
    fault = "K-4.json: PROOF003 it cannot be"
    base = Judged("main", {"small": {"K-4": TaskResult("a", None, before, {})}})
    head = Judged("HEAD", {"small": {"K-4": TaskResult(content, None, (fault,), {})}})
    assert doubts(compare(base, head), again) == ((fault,) if doubted else ())
