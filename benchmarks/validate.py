"""The time of `dust validate`: cold on a project's specs, and as the number of tasks grows.

    python benchmarks/validate.py [--specs specs] [--repeats 3]

Every time is that of a fresh process, start-up included. The least of the repeats counts, because
other processes on the machine can only add time. Exits 1 if a limit is exceeded: one second for
the specs, with neither torch nor numpy imported; ten seconds for 2,000 tasks; linear growth.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dust_core.declared.specs.names import DistillName, FileName, PruneName, exp_id, file_name

EXAMPLE = Path(__file__).parents[1] / "tests" / "examples" / "valid"
COUNTS = (250, 500, 1000, 2000)
MAX_COLD_S = 1.0
MAX_MANY_S = 10.0
MAX_GROWTH = 1.3
"""How far the time of a task among 2,000 may exceed that of one among 500."""

_RUN = """
import sys
from dust_core.cli import main
try:
    main(["validate", sys.argv[1]])
except SystemExit as ending:
    heavy = {"torch", "numpy"} & set(sys.modules)
    sys.exit(f"imported {heavy}" if heavy else ending.code)
"""

_HEAD = """# yaml-language-server: $schema=../schema/v1/{name}.schema.json
apiVersion: dust/v1
kind: {kind}
metadata:
  name: {name}
  title: Generated for a benchmark
spec:
"""
_COMMON = {
    "distill": """  common:
    student: {depth: 0.3, heads: 0.3, ffn: 0.3, init: teacher_layers}
    loss:
      task: conf_loss
      alpha: 0.2
      kl: radial_laplace
      confidence_clamp: 100.0
      mask_below_confidence: 1.5
      features: [enc_norm]
      feature_distance: cosine
  tasks:
""",
    "prune": """  common: {targets: [heads, ffn], criterion: taylor, importance_pairs: 64}
  tasks:
""",
}
_TASK = """    {id}:
      does: {does}
      title: Generated for a benchmark
      hypothesis: The validator reads it in milliseconds.
      needs: [P0-2]
      inputs: [teacher_fp32.pth]
      outputs: [{writes}]
      gate: [{gate}]
      on_failure: stop
      run: 1
      exp_id: {exp_id}
      expected_gpu_hours: 1
"""
_STUDENT = """      beta: 0.5
      gamma: 0.0
      epochs: 30
      patience: 3
"""


def main() -> int:
    """Print the times, and say whether they are within their limits."""
    parser = argparse.ArgumentParser(description="Time `dust validate`.")
    parser.add_argument("--specs", type=Path, default=Path("specs"), help="folder to read cold")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()

    cold = seconds(arguments.specs, arguments.repeats)
    print(f"{arguments.specs!s:>10}: {cold:.2f} s cold (limit {MAX_COLD_S:g} s)")
    times: dict[int, float] = {}
    for count in COUNTS:
        with tempfile.TemporaryDirectory() as folder:
            generate(Path(folder), count)
            times[count] = seconds(Path(folder) / "specs", arguments.repeats)
        per_task = 1000 * times[count] / count
        print(f"{count:>4} tasks: {times[count]:.2f} s, {per_task:.2f} ms a task")
    growth = (times[2000] / 2000) / (times[500] / 500)
    print(f"a task among 2,000 takes {growth:.2f} of one among 500 (limit {MAX_GROWTH:g})")
    within = cold < MAX_COLD_S and times[2000] < MAX_MANY_S and growth < MAX_GROWTH
    print("within all limits" if within else "a limit is exceeded")
    return 0 if within else 1


def seconds(specs: Path, repeats: int) -> float:
    """The least wall-clock time of `dust validate specs` in a fresh process, in seconds."""
    taken: list[float] = []
    for _ in range(repeats):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", _RUN, str(specs)], check=True, capture_output=True)
        taken.append(time.perf_counter() - started)
    return min(taken)


def generate(folder: Path, count: int) -> None:
    """Write a project of `count` tasks beside those of the example: half of them students, half
    pruned networks, each with its own parameters, id and file.
    """
    shutil.copytree(EXAMPLE, folder, dirs_exist_ok=True)
    shutil.rmtree(folder / "artifacts")
    specs = folder / "specs" / "v1"
    (specs / "quant.yaml").unlink()
    half = count // 2
    for name, kind, tasks in (
        ("distill", "Distill", (_student(number) for number in range(1, half + 1))),
        ("prune", "Prune", (_pruned(number) for number in range(1, count - half + 1))),
    ):
        text = _HEAD.format(name=name, kind=kind) + _COMMON[name] + "".join(tasks)
        (specs / f"{name}.yaml").write_text(text, encoding="utf-8")


def _student(number: int) -> str:
    temperature = 1 + number / 1000
    name = DistillName(T=temperature, beta=0.5)
    head = _TASK.format(
        id=f"K-{number + 9}",
        does="distill",
        writes=file_name(FileName(role="student", of=name)),
        gate="quality",
        exp_id=exp_id(name),
    )
    return f"{head}      T: {temperature}\n{_STUDENT}"


def _pruned(number: int) -> str:
    rho = round(0.05 + number / 10_000, 4)
    name = PruneName(rho=rho)
    head = _TASK.format(
        id=f"P-{number + 9}",
        does="prune",
        writes=file_name(FileName(role="pruned", of=name)),
        gate="quality-pruned",
        exp_id=exp_id(name),
    )
    return f"{head}      rho: {rho}\n      epochs: 12\n"


if __name__ == "__main__":
    sys.exit(main())
