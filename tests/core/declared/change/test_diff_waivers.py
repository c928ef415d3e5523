"""`dust diff` on who approves a waiver, from where to where, and until when."""

import pytest
from written_waivers import OWNER, in_days, waiver

GATES = "specs/v1/gates.yaml"
LINE = "the line smaller_by_quarter is loosened (P-3) and no valid waiver says why"


def loosen(project, text: str, value: int = 20) -> None:
    project.edit(GATES, "value: 25", f"value: {value}\n      {text}")


def test_a_waiver_permits_its_scope(project):
    loosen(project, waiver(25, 20))
    assert project.refusals() == []
    assert project.invalid() == []


@pytest.mark.parametrize(
    ("text", "rules", "by_diff"),
    [
        (waiver(25, 22), ["GATE012"], [LINE]),
        (waiver(22, 20), ["GATE012"], [LINE]),
        (waiver(30, 20), [], [LINE]),  # only the base shows that the line was never 30
        (waiver(25, 20, expires=in_days(-1)), ["GATE002"], [LINE]),
        (waiver(25, 20, expires=in_days(181)), ["GATE013"], [LINE]),
        (waiver(25, 20, reason="tbd"), ["GATE003"], []),
        (
            waiver(25, 20, approved_by="@ana"),
            ["GATE014"],
            [
                "the waiver of smaller_by_quarter is approved by @ana, and the base's CODEOWNERS "
                f"names {OWNER}"
            ],
        ),
    ],
)
def test_a_waiver_that_does_not_hold_is_refused_by_both(project, text, rules, by_diff):
    loosen(project, text)
    assert project.invalid() == rules
    refusals = project.refusals()
    assert [reason for reason in refusals if not reason.startswith("specs/")] == by_diff
    for rule in rules:
        assert any(rule in reason for reason in refusals) or rule == "GATE014"


def test_the_last_day_is_within_180_days(project):
    loosen(project, waiver(25, 20, expires=in_days(180)))
    assert project.refusals() == []


def test_an_unused_waiver_is_refused(project):
    project.edit(GATES, "value: 25", f"value: 25\n      {waiver(25, 20)}")
    assert project.invalid() == ["GATE004"]
    [reason] = project.refusals()
    assert "GATE004 a waiver permits nothing that is there" in reason


def test_an_approved_scope_may_be_used_later_and_not_exceeded(project):
    loosen(project, waiver(25, 20), value=22)
    project.merge()
    project.edit(GATES, "value: 22", "value: 21")
    assert project.refusals() == []
    project.edit(GATES, "value: 21", "value: 18")
    assert LINE in project.refusals()


def test_a_tightened_line_goes_back_under_a_waiver_that_both_accept(project):
    project.edit(GATES, "value: 25", "value: 30")
    project.merge()
    project.edit(GATES, "value: 30", "value: 25")
    assert project.refusals() == [LINE]
    assert project.invalid() == []
    project.edit(GATES, "value: 25", f"value: 25\n      {waiver(30, 25)}")
    assert project.refusals() == []
    assert project.invalid() == []


def owned_by(project, owners: str) -> None:
    (project.root / ".github" / "CODEOWNERS").write_text(f"/specs/ {owners}\n")
    project.merge()


@pytest.mark.parametrize(
    ("name", "email"),
    [
        ("Ana", "someone@example.org"),
        ("A. B.", "ana@example.org"),
        ("A. B.", "1234+ana@users.noreply.github.com"),
    ],
)
def test_nobody_approves_a_waiver_that_he_wrote(project, monkeypatch, name, email):
    owned_by(project, "@ana @ben")
    monkeypatch.setenv("GIT_AUTHOR_NAME", name)
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", email)
    loosen(project, waiver(25, 20, approved_by="@ana"))
    project.commit()
    refused = ["the waiver of smaller_by_quarter is approved by @ana, who wrote it"]
    assert project.refusals() == refused  # not committed: whoever would commit it
    assert project.refusals("HEAD") == refused
    project.edit(GATES, "'@ana', expires", "'@ben', expires")
    project.commit()
    assert project.refusals("HEAD") == []


def test_a_co_author_is_an_author(project):
    owned_by(project, "@ana @ben")
    loosen(project, waiver(25, 20, approved_by="@ben"))
    project.commit("loosen\n\nCo-authored-by: Ben <ben@example.org>")
    assert project.refusals("HEAD") == [
        "the waiver of smaller_by_quarter is approved by @ben, who wrote it"
    ]


def test_a_pull_request_does_not_choose_who_approves_it(project):
    (project.root / ".github" / "CODEOWNERS").write_text("/specs/ @ana\n")
    loosen(project, waiver(25, 20, approved_by="@ana"))
    project.commit()
    [reason] = project.refusals("HEAD")
    assert reason.endswith(f"approved by @ana, and the base's CODEOWNERS names {OWNER}")


def test_a_merged_waiver_is_not_approved_again(project):
    loosen(project, waiver(25, 20))
    project.merge()
    project.edit("specs/v1/distill.yaml", "patience: 3", "patience: 5")
    assert project.refusals() == []
