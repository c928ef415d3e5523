"""What the host of the repository says of its protection, through GitHub's command `gh`."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dust_core.declared.protection.outcome import Outcome, outcome
from dust_core.declared.protection.workflow import JOBS

_GITHUB = re.compile(r"github\.com[:/](?P<name>[\w.-]+/[\w.-]+?)(\.git)?/?$")

Rules = Mapping[str, Mapping[str, Any]]


def remote_outcomes(root: Path, branch: str) -> Iterator[Outcome]:
    """Check the rules that bind a branch on GitHub; see docs/protection.md.

    Everything is `unknown` where there is no GitHub remote or no `gh` that may ask.
    """
    name = _repository(root)
    settings, rules, rulesets, why = None, None, None, ""
    if name is None:
        why = "the remote `origin` is not on GitHub"
    elif shutil.which("gh") is None:
        why = f"needs `gh`; else look at https://github.com/{name}/rules?ref=refs/heads/{branch}"
    else:
        settings = _ask(root, f"repos/{name}")
        rules = _ask(root, f"repos/{name}/rules/branches/{branch}")
        why = f"`gh api repos/{name}/rules/branches/{branch}` does not answer: `gh auth login`"
        if rules is not None:
            ids = dict.fromkeys(rule["ruleset_id"] for rule in rules if "ruleset_id" in rule)
            rulesets = [_ask(root, f"repos/{name}/rulesets/{number}") for number in ids]
    yield from _rule_outcomes(rules, branch, why)
    yield _bypass(rulesets, why)
    yield _merges(settings, rules, why)


def _rule_outcomes(listed: Any, branch: str, why: str) -> Iterator[Outcome]:
    rules = _by_type(listed)
    for check, faults in (
        (f"{branch} changes by reviewed pull requests alone", _review_faults),
        ("the jobs of the review are required, on the newest base", _check_faults),
        ("no force push and no deletion", _history_faults),
    ):
        yield (
            outcome(check, faults(rules)) if listed is not None else Outcome(check, "unknown", why)
        )


def _by_type(listed: Any) -> Rules:
    return {rule["type"]: rule.get("parameters") or {} for rule in listed or ()}


def _review_faults(rules: Rules) -> list[str]:
    if "pull_request" not in rules:
        return ["no ruleset requires a pull request"]
    asked = rules["pull_request"]
    wanted = {
        "require_code_owner_review": "the approval of a code owner",
        "dismiss_stale_reviews_on_push": "that a push dismisses approvals",
        "require_last_push_approval": "that somebody else approves the last push",
    }
    faults = [f"it does not require {what}" for key, what in wanted.items() if not asked.get(key)]
    if not asked.get("required_approving_review_count"):
        faults.append("it does not require an approval")
    return faults


def _check_faults(rules: Rules) -> list[str]:
    asked = rules.get("required_status_checks", {})
    names = {check["context"] for check in asked.get("required_status_checks", ())}
    faults = [f"the check {job} is not required" for job in JOBS if job not in names]
    if not asked.get("strict_required_status_checks_policy"):
        faults.append("a branch may be merged that lacks the newest base")
    return faults


def _history_faults(rules: Rules) -> list[str]:
    wanted = {"non_fast_forward": "force pushes are allowed", "deletion": "it may be deleted"}
    return [what for rule, what in wanted.items() if rule not in rules]


def _bypass(rulesets: list[Any] | None, why: str) -> Outcome:
    check = "nobody may bypass the rules, administrators included"
    if rulesets is None:
        return Outcome(check, "unknown", why)
    if not rulesets:
        return Outcome(check, "missing", "there is no ruleset")
    if any(ruleset is None or "bypass_actors" not in ruleset for ruleset in rulesets):
        return Outcome(check, "unknown", "only an administrator sees who may bypass a ruleset")
    actors = [actor for ruleset in rulesets for actor in ruleset["bypass_actors"]]
    return outcome(check, [f"{actor.get('actor_type', 'somebody')} may" for actor in actors])


def _merges(settings: Any, listed: Any, why: str) -> Outcome:
    """A squashed or rebased commit is no ancestor any more, and records name commits."""
    check = "merge commits alone, so that recorded commits stay ancestors"
    if settings is None or "allow_squash_merge" not in settings:
        return Outcome(check, "unknown", why or "only who may push sees how pull requests merge")
    rules = _by_type(listed)
    methods = rules.get("pull_request", {}).get("allowed_merge_methods")
    if methods is None:
        methods = [way for way in ("squash", "rebase") if settings[f"allow_{way}_merge"]]
    faults = [f"{method} is allowed" for method in methods if method != "merge"]
    if "required_linear_history" in rules:
        faults.append("a linear history is required, which allows no merge commit")
    return outcome(check, faults)


def _repository(root: Path) -> str | None:
    done = subprocess.run(
        ["git", "-C", str(root), "remote", "get-url", "origin"],
        capture_output=True,
        text=True,
        check=False,
    )
    matched = _GITHUB.search(done.stdout.strip())
    return matched["name"] if matched else None


def _ask(root: Path, path: str) -> Any:
    """What GitHub's API answers; None where it does not."""
    try:
        done = subprocess.run(
            ["gh", "api", path], cwd=root, capture_output=True, text=True, timeout=30, check=False
        )
        return json.loads(done.stdout) if done.returncode == 0 else None
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
