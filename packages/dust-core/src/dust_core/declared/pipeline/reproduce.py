"""DVC as a process: run the stages that are stale, then judge."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from dust_core.declared.project import ARTIFACTS
from dust_core.errors import DustError


def run_dvc(*arguments: str) -> None:
    """Run `dvc` with the environment's own programs first on the path, its output passed through.

    Raises:
        DustError: DVC is not installed, or it failed; what failed is in its output.
    """
    if find_spec("dvc") is None:
        raise DustError(
            "DVC is not installed, and it decides which stages are stale",
            fix="install the locked versions: pip install -r requirements.lock",
        )
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments], env={**os.environ, "PATH": path}, check=False
    )
    if done.returncode:
        raise DustError(
            f"'dvc {' '.join(arguments)}' failed; the messages above say where",
            fix="mend that and repeat: stages that are done are not run again",
        )


def judge(stage: str, profile: str) -> list[str]:
    """Print the verdicts of a stage with dust-eval's `dust gate`; the tasks that do not pass.

    Raises:
        DustError: the verdicts could not be computed.
    """
    report = ARTIFACTS / profile / "verdicts" / f"{stage}.json"
    gate = (sys.executable, "-m", "dust_core", "gate", stage, "--profile", profile)
    code = subprocess.run([*gate, "--json", str(report)], check=False).returncode
    if code > 1:
        raise DustError(
            f"the verdicts of {stage} could not be computed; the message above says why",
            fix="'dust gate' comes with dust-eval: install it if it is missing",
        )
    tasks = json.loads(report.read_text(encoding="utf-8"))["tasks"]
    return [one["task"] for one in tasks if one["status"] != "pass" and one["settled"] is None]
