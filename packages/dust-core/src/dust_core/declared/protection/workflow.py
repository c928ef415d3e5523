"""The workflow of the review: whether the pull request brings its own judge.

https://docs.github.com/en/actions/reference/security/securely-using-pull_request_target
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dust_core.declared.reading.yaml_text import load_yaml

WORKFLOW = ".github/workflows/review.yml"
JOBS = ("review", "audit")
"""The jobs that branch protection requires."""

OF_BASE = "./base/"
"""Where the workflow has the checkout of the base, whose actions it may use."""

_PINNED = re.compile(r"[^@\s]+@[0-9a-f]{40}")
_OF_HEAD = "github.event.pull_request.head."
_RUNNERS = re.compile(r"\b(python3?|nox|tox|pytest|make|dvc|bash|sh|source|npm|pre-commit|eval)\s")
# Text of the pull request in a script is a script of the pull request.
_TEXT = re.compile(r"\$\{\{[^}]*github\.(event\.pull_request|head_ref)")


def read_workflow(root: Path) -> Mapping[str, Any]:
    """The workflow's content, with the steps of the base's own actions; empty where there is none.

    Raises:
        DustError: it, or an action that it uses, is not YAML.
    """
    content = _mapping(root / WORKFLOW)
    jobs = {
        name: {**job, "steps": list(_with_actions(job.get("steps") or (), root))}
        for name, job in (content.get("jobs") or {}).items()
    }
    return {**content, "jobs": jobs} if jobs else content


def _mapping(path: Path) -> dict[str, Any]:
    content = load_yaml(path).data if path.is_file() else {}
    return content if isinstance(content, dict) else {}


def _with_actions(steps: Sequence[Mapping[str, Any]], root: Path) -> Iterator[Mapping[str, Any]]:
    """The steps, each one that uses an action of the base replaced by those of the action."""
    for step in steps:
        place = str(step.get("uses", "")).removeprefix(OF_BASE)
        action = _mapping(root / place / "action.yml") if place != step.get("uses") else {}
        inner = (action.get("runs") or {}).get("steps")
        if not inner:
            yield step
            continue
        inputs = action.get("inputs") or {}
        given = {name: spec.get("default", "") for name, spec in inputs.items()}
        given |= step.get("with") or {}
        yield from (_filled(part, given) for part in inner)


def _filled(value: Any, given: Mapping[str, Any]) -> Any:
    """A step of an action, with the inputs that the workflow gives it."""
    if isinstance(value, Mapping):
        return {key: _filled(item, given) for key, item in value.items()}
    if not isinstance(value, str):
        return value
    for name, text in given.items():
        pattern = rf"\$\{{\{{\s*inputs\.{name}\s*\}}\}}"
        value = re.sub(pattern, str(text).replace("\\", r"\\"), value)
    # An action's own checkout is that of the base.
    return value.replace("${{ github.action_path }}/../../..", "base")


def protected_branches(workflow: Mapping[str, Any]) -> list[str]:
    """The branches whose pull requests the workflow reviews."""
    trigger = _triggers(workflow).get("pull_request_target") or {}
    return list(trigger.get("branches", ()))


def workflow_faults(workflow: Mapping[str, Any]) -> list[str]:
    """Why a pull request could pass the workflow by changing its judge; empty if it cannot."""
    if not workflow:
        return [f"there is no {WORKFLOW}"]
    return list(dict.fromkeys(_faults(workflow)))


def _faults(workflow: Mapping[str, Any]) -> Iterator[str]:
    triggers = _triggers(workflow)
    if set(triggers) != {"pull_request_target"}:
        yield f"on: {', '.join(triggers)}; only pull_request_target takes the file from the base"
    elif not protected_branches(workflow):
        yield "on.pull_request_target.branches names no branch"
    elif "edited" not in (triggers["pull_request_target"].get("types") or ()):
        yield "on.pull_request_target.types lacks edited: a pull request may change its base"
    if workflow.get("permissions") != {}:
        yield "permissions of the workflow are not {}"
    jobs = workflow.get("jobs") or {}
    yield from (f"there is no job {name}" for name in JOBS if name not in jobs)
    for name, job in jobs.items():
        yield from (f"{name}: {fault}" for fault in _job_faults(job))


def _triggers(workflow: Mapping[str, Any]) -> Mapping[str, Any]:
    triggers = workflow.get("on", {})
    if isinstance(triggers, Mapping):
        return triggers
    return dict.fromkeys([triggers] if isinstance(triggers, str) else triggers)


def _job_faults(job: Mapping[str, Any]) -> Iterator[str]:
    if "uses" in job or "container" in job or "services" in job:
        yield "a reusable workflow or a container is not checked: write its steps here"
    permissions = job.get("permissions", {})
    writes = not isinstance(permissions, Mapping) or "write" in permissions.values()
    steps = job.get("steps") or ()
    if writes and any(_is_of_head(step) for step in steps):
        yield "it checks out the pull request, and its token may write"
    if "timeout-minutes" not in job:
        yield "it has no timeout-minutes"
    if "secrets." in str(job):
        yield "it uses a secret"
    for number, step in enumerate(steps, start=1):
        yield from (f"step {number}: {fault}" for fault in _step_faults(step))


def _step_faults(step: Mapping[str, Any]) -> Iterator[str]:
    uses, script, folder = (str(step.get(key, "")) for key in ("uses", "run", "working-directory"))
    if uses.startswith(OF_BASE):
        yield f"the base has no action {uses.removeprefix(OF_BASE)} with steps"
    elif uses and not _PINNED.fullmatch(uses):
        yield f"{uses} is not pinned by the SHA of a commit"
    if "actions/cache" in uses or (step.get("with") or {}).get("cache"):
        yield "a cache that a pull request fills is read on the default branch"
    if "actions/checkout" in uses:
        yield from _checkout_faults(step.get("with") or {})
    if _TEXT.search(script):
        yield "a script quotes the pull request: hand it over in env"
    for line in script.splitlines():
        if _installs(line) and folder != "base":
            yield f"it installs outside the checkout of the base: {line.strip()}"
        if re.search(r"(^|\s)(-e|--editable)(\s|=)", line) and "pip" in script:
            yield f"an editable installation reads its code when it runs: {line.strip()}"
        if _runs_head(line, in_head=folder.startswith("head")):
            yield f"it may run a file of the pull request: {line.strip()}"


def _runs_head(line: str, *, in_head: bool) -> bool:
    """Whether a line names a file of the pull request, or a program that runs such files."""
    if in_head:
        return _RUNNERS.search(line) is not None or re.search(r"(^|[\s\"'])\./", line) is not None
    return re.search(r"(?<![\w/.-])head/|\bcd\s+[\"']?(\./)?head\b", line) is not None


def _installs(line: str) -> bool:
    return re.search(r"\b(pip|pipx|uv|nox|poetry|conda|npm)3?\b", line) is not None


def _checkout_faults(options: Mapping[str, Any]) -> Iterator[str]:
    if options.get("persist-credentials") is not False:
        yield "the checkout keeps its token"
    if options.get("submodules") or options.get("lfs"):
        yield "the checkout follows what .gitmodules or .lfsconfig names"
    of_head = _names_head(options)
    if of_head and options.get("path") != "head":
        yield "the checkout of the pull request is not in the folder head"
    if not of_head and options.get("path") != "base":
        yield "the checkout of the base is not in the folder base"


def _is_of_head(step: Mapping[str, Any]) -> bool:
    """Whether a step checks out the pull request, or may."""
    options = step.get("with") or {}
    return "checkout" in str(step.get("uses", "")) and (
        _names_head(options) or options.get("path") != "base"
    )


def _names_head(options: Mapping[str, Any]) -> bool:
    return _OF_HEAD in str(options.get("ref", "")) or "repository" in options
