"""`dust diff` and `dust validate` on executions that a change adds, repeats or falsifies."""

import re

import pytest

from dust_core.declared.records.ledger import ledger_path

DISTILL = "specs/v1/distill.yaml"
SMALL = "specs/profiles/small.yaml"
K1 = "    K-1:\n"
P1 = ("P0-1", "P0-teacher", "P0-2", "K-1", "K-2", "K-3", "K-4")
FOLLOWING = ("K-4", "KQ-1", "KQ-2", "KQ-3")


@pytest.fixture
def executed(project):
    """The repository after P1 and P3 were executed and merged."""
    project.execute(*P1, "KQ-1", "KQ-2", "KQ-3")
    project.merge()
    return project


def refusals(project, head=None):
    """The reasons of `dust diff` not to merge that concern executions or executed tasks."""
    return [reason for reason in project.refusals(head) if "waiver" not in reason]


def rules(project):
    """The rules on executions that the validator finds broken."""
    said = project.dust("validate", "specs", "--ignore", "DATA").out
    return sorted(set(re.findall(r": (EXEC\d+) ", said)))


def edit_stage(project, task, **changes):
    """Edit a stage of the lock: `outs={"student": "1" * 32}` sets the MD5 of files so named."""
    lock = project.lock()
    for kind, values in changes.items():
        for part, md5 in values.items():
            touched = [file for file in lock["stages"][task][kind] if part in file["path"]]
            assert touched
            for file in touched:
                file["md5"] = md5
    project.write_lock(lock)


def test_a_new_experiment_is_one_file_and_one_command(executed):
    path = executed.root / DISTILL
    block = path.read_text().partition(K1)[2].partition("    K-2:\n")[0]
    block = block.replace("T: 3", "T: 2").replace("t3b05", "t2b05").replace("T3B05", "T2B05")
    path.write_text(f"{path.read_text().rstrip()}\n    K-5:\n{block}")
    assert refusals(executed) == []
    executed.execute("K-5")
    assert refusals(executed) == []
    assert rules(executed) == []


def test_a_next_run_takes_with_it_what_builds_on_it(executed):
    executed.next_run("K-1")
    executed.execute("K-1", *FOLLOWING)
    assert refusals(executed) == []
    assert rules(executed) == []
    executed.merge()
    assert refusals(executed) == []


def test_what_builds_on_a_next_run_follows_once(executed):
    executed.next_run("K-1")
    executed.execute("K-1", "K-4")
    executed.merge()
    executed.execute("K-4", salt="better")
    assert refusals(executed) == [
        "K-4 (run 1) was executed again on the same inputs: take the next run: 2"
    ]
    assert rules(executed) == ["EXEC004"]


def test_a_run_is_not_rolled_again(executed):
    executed.execute("K-1", salt="better", record=False)
    assert refusals(executed) == [
        "K-1 (K_T3B05_run1) was executed again on the same inputs: take the next run: 2"
    ]
    assert rules(executed) == ["EXEC005"]
    executed.record("K-1")
    assert len(refusals(executed)) == 1
    assert rules(executed) == ["EXEC004"]


def test_what_follows_from_a_refused_run_is_not_listed_too(executed):
    executed.execute("K-1", *FOLLOWING, salt="better")
    assert refusals(executed) == [
        "K-1 (K_T3B05_run1) was executed again on the same inputs: take the next run: 2"
    ]


def test_another_device_is_another_run(executed):
    edit_stage(executed, "KQ-3", deps={"device.json": "1" * 32}, outs={"kq_eval.json": "2" * 32})
    executed.record("KQ-3")
    assert refusals(executed) == [
        "KQ-3 (run 1) was executed again on another device: take the next run: 2"
    ]
    assert rules(executed) == ["EXEC004"]


def test_an_input_that_nobody_wrote_excuses_nothing(executed):
    edit_stage(executed, "K-4", deps={"t3b05": "1" * 32}, outs={"best": "2" * 32})
    executed.record("K-4")
    (reason,) = refusals(executed)
    assert (
        "K-4 (run 1) was executed again with another artifacts/small/student_fp32_t3b05" in reason
    )
    assert rules(executed) == ["EXEC004", "EXEC009"]


def test_an_input_that_is_not_what_the_next_run_wrote_excuses_nothing(executed):
    executed.next_run("K-1")
    executed.execute("K-1")
    edit_stage(executed, "K-4", deps={"t3b05": "1" * 32}, outs={"best": "2" * 32})
    executed.record("K-4")
    (reason,) = refusals(executed)
    assert "student_fp32_t3b05.pth that K-1 did not write: take the next run: 2" in reason
    assert rules(executed) == ["EXEC004", "EXEC009"]


def test_other_data_is_another_run(executed):
    edit_stage(executed, "K-1", deps={"data/training": "1" * 32}, outs={"t3b05": "2" * 32})
    executed.record("K-1")
    (reason,) = refusals(executed)
    assert "with another data/training, which no changed execution wrote" in reason
    assert rules(executed) == ["EXEC004"]


@pytest.mark.parametrize("erased", [True, False])
def test_an_execution_does_not_vanish(executed, erased):
    lock = executed.lock()
    del lock["stages"]["K-2"]
    executed.write_lock(lock)
    if erased:
        (executed.root / ledger_path("small", "K-2")).unlink()
    reasons = refusals(executed)
    assert reasons[0] == (
        "dvc.lock of small loses K-2 (K_T5B05_run1): an execution does not vanish; restore its "
        "stage"
    )
    assert len(reasons) == 1 + erased
    assert rules(executed) == (["EXEC009"] if erased else ["EXEC005"])


def test_a_lock_is_not_falsified_so_that_the_spec_may_follow(executed):
    lock = executed.lock()
    lock["stages"]["K-1"]["params"][DISTILL]["spec.tasks.K-1.patience"] = 5
    executed.write_lock(lock)
    falsified = (
        "dvc.lock says otherwise what K-1 (K_T3B05_run1) was executed with (patience): restore it, "
        "or take the next run: 2"
    )
    assert refusals(executed) == [falsified]
    assert rules(executed) == ["EXEC001"]
    executed.edit(DISTILL, "patience: 3", "patience: 5", after=K1)
    assert refusals(executed)[-1] == falsified
    assert "K-1 was executed as K_T3B05_run1 and changes (patience)" in refusals(executed)[0]
    assert rules(executed) == ["EXEC001"]


def test_a_lock_that_was_falsified_before_does_not_free_the_spec(executed):
    lock = executed.lock()
    lock["stages"]["K-1"]["params"][DISTILL]["spec.tasks.K-1.patience"] = 5
    executed.write_lock(lock)
    executed.merge("falsified")
    executed.edit(DISTILL, "patience: 3", "patience: 5", after=K1)
    assert refusals(executed) == [
        "K-1 was executed as K_T3B05_run1 and changes (its spec): restore it, or write run: 2 and "
        "its exp_id"
    ]


def test_a_lock_that_is_written_anew_in_the_same_meaning_is_no_execution(executed):
    lock = executed.lock()
    parameters = lock["stages"]["K-1"]["params"]
    parameters[DISTILL]["spec.tasks.K-1.T"] = 3.0
    parameters["specs/v1/workload.yaml"]["spec"]["licence"] = "reworded"
    executed.write_lock(lock)
    assert refusals(executed) == []
    assert rules(executed) == []


def test_a_run_does_not_fall(executed):
    executed.next_run("K-1")
    executed.execute("K-1")
    executed.merge()
    executed.git("checkout", "--quiet", "main~1", "--", ".")
    reasons = refusals(executed)
    assert "K-1 (K_T3B05_run2) is executed, and its run falls to 1 in dvc.lock" in " ".join(reasons)
    assert any("executions/small/K-1.jsonl loses or rewrites lines" in text for text in reasons)


def test_an_execution_needs_its_line(executed):
    executed.next_run("K-1")
    executed.execute("K-1", record=False)
    assert refusals(executed) == [
        "K-1 run 2 (small) is in dvc.lock and not in the ledger: write it with "
        "'dust ledger --append'"
    ]
    assert rules(executed) == ["EXEC006"]


def test_a_line_says_what_the_lock_says(executed):
    executed.next_run("K-1")
    executed.execute("K-1", record=False)
    executed.record("K-1", outputs={"artifacts/small/student_fp32_t3b05.pth": "1" * 32})
    (reason,) = refusals(executed)
    assert "K-1 run 2 (small) differs between dvc.lock and the ledger (its result" not in reason
    assert "writes artifacts/small/student_fp32_t3b05.pth" in reason
    assert rules(executed) == ["EXEC005"]


def test_a_line_has_the_digest_of_its_spec(executed):
    executed.next_run("K-1")
    executed.execute("K-1", record=False)
    executed.record("K-1", spec_digest="1" * 64)
    assert "K-1 was executed as K_T3B05_run2 and changes (its spec)" in refusals(executed)[0]
    assert rules(executed) == ["EXEC001"]


def test_a_line_without_an_execution_is_refused(executed):
    executed.record("K-1", run=2, finished="2026-11-23T09:00:00Z", exp_id="K_T3B05_run2")
    assert "differs between dvc.lock and the ledger (run 1 in dvc.lock" in refusals(executed)[0]
    assert rules(executed) == ["EXEC005"]


def test_the_ledger_only_grows(executed):
    path = executed.root / ledger_path("small", "K-1")
    path.write_text(path.read_text().replace('"pass"', '"fail"'))
    (reason,) = refusals(executed)
    assert reason.startswith(f"the ledger {ledger_path('small', 'K-1')} loses or rewrites lines")
    assert "git checkout main -- executions/small/K-1.jsonl" in reason


def test_a_ledger_that_cannot_be_read_is_named(executed):
    path = executed.root / ledger_path("small", "K-1")
    path.write_text(path.read_text() + '{"profile": "small"}\n')
    assert f"the ledger {ledger_path('small', 'K-1')} cannot be read: line 2: " in " ".join(
        refusals(executed)
    )
    assert rules(executed) == ["EXEC003"]


@pytest.mark.parametrize("event", ["unquotable", "removed"])
def test_a_profile_with_executions_binds(executed, event):
    if event == "removed":
        (executed.root / SMALL).unlink()
    else:
        executed.edit(SMALL, "quotable: true", "quotable: false")
    executed.edit(DISTILL, "patience: 3", "patience: 5", after=K1)
    reasons = " ".join(refusals(executed))
    assert "the profile small has executions and is " in reasons
    if event == "unquotable":
        assert "K-1 was executed as K_T3B05_run1 and changes (patience)" in reasons
        assert rules(executed) == ["EXEC001", "EXEC008"]


def test_a_profile_that_was_quotable_binds_where_it_has_a_ledger(executed):
    executed.edit(SMALL, "quotable: true", "quotable: false")
    executed.merge("unquotable by force")
    executed.edit(DISTILL, "patience: 3", "patience: 5", after=K1)
    assert "K-1 was executed as K_T3B05_run1 and changes (patience)" in " ".join(refusals(executed))


def test_a_profile_that_becomes_quotable_needs_its_lines(executed):
    executed.execute("P0-1", profile="ci")
    executed.merge()
    ci = "specs/profiles/ci.yaml"
    executed.edit(ci, "quotable: false", "quotable: true")
    executed.edit(ci, "workload_pairs: 4", "workload_pairs: 20")
    assert "P0-1 run 1 (ci) is in dvc.lock and not in the ledger" in " ".join(refusals(executed))


def test_an_old_id_is_not_given_to_another_task(executed):
    path = executed.root / DISTILL
    block = path.read_text().partition(K1)[2].partition("    K-2:\n")[0]
    executed.next_run("K-1")
    for old, new in (("T: 3", "T: 4"), ("T3B05", "T4B05"), ("t3b05", "t4b05")):
        executed.edit(DISTILL, old, new, after=K1)
    executed.next_run("K-4")
    executed.edit(DISTILL, "t3b05", "t4b05", after="    K-4:\n")
    executed.execute("K-1", "K-4")
    executed.merge()
    assert rules(executed) == []
    path.write_text(f"{path.read_text().rstrip()}\n    K-5:\n{block}")
    assert "K-5 takes that id for another experiment" in " ".join(refusals(executed))
    assert rules(executed) == ["EXEC001"]


def test_parallel_executions_of_one_task_are_said_to_collide(executed):
    executed.next_run("K-1")
    executed.execute("K-1", salt="mine")
    executed.commit("mine")
    executed.git("checkout", "--quiet", "main")
    executed.next_run("K-1")
    executed.execute("K-1", salt="theirs")
    executed.commit("theirs")
    executed.git("checkout", "--quiet", "work")
    reasons = refusals(executed, "HEAD")
    assert reasons[0].startswith("K-1 (K_T3B05_run2) was executed again on the same inputs")
    assert (
        "appended to the ledger executions/small/K-1.jsonl too since this change left"
        in (reasons[1])
    )


def test_parallel_executions_of_two_tasks_merge(executed):
    executed.next_run("K-1")
    executed.execute("K-1")
    executed.commit("K-1")
    executed.git("checkout", "--quiet", "main")
    executed.next_run("K-2")
    executed.execute("K-2")
    executed.commit("K-2")
    executed.git("checkout", "--quiet", "work")
    assert refusals(executed, "HEAD") == []


def test_json_has_what_was_appended(executed):
    import json

    executed.next_run("K-1")
    executed.execute("K-1")
    said = json.loads(executed.dust("diff", "main", "--format", "json").out)
    assert [line["exp_id"] for line in said["appended"]] == ["K_T3B05_run2"]
    assert said["broken"] == []


def test_results_that_a_change_keeps_are_those_of_the_old_code(executed):
    from dust_core.declared.change.chain import Chain
    from dust_core.declared.change.git import Repository
    from dust_core.declared.change.snapshot import at_revision, in_working_tree

    executed.next_run("K-1")
    executed.execute("K-1", *FOLLOWING)
    repository = Repository.around(executed.root)
    base = at_revision(repository, repository.revision("main"), "specs")
    chain = Chain(base, base, in_working_tree(executed.root, "specs"))
    kept = [entry.attempt.task for entry in chain.kept]
    assert kept == ["P0-1", "P0-teacher", "P0-2", "K-2", "K-3"]
    assert {line.task for line in chain.appended} == {"K-1", *FOLLOWING}
