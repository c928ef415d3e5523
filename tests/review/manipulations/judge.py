"""The judge, which the defendant would like to bring along."""

from manipulations.case import case
from manipulations.clone import Clone

JUDGE = "The judge"
DIFF = "diff main HEAD"


@case(
    JUDGE,
    "The metric counts more depths as right.",
    DIFF,
    "Measuring code changed: 21 results are of the old code",
    code=0,
)
def metric(clone: Clone) -> None:
    path = "packages/dust-eval/src/dust_eval/quality/depth.py"
    clone.edit(path, "1.25", "1.50")


@case(
    JUDGE,
    "The clock runs slower.",
    DIFF,
    "| measuring code | `packages/dust-eval/src/dust_eval/runtimes/clock.py` |",
    code=0,
)
def timer(clone: Clone) -> None:
    path = clone.path("packages/dust-eval/src/dust_eval/runtimes/clock.py")
    path.write_text(path.read_text() + "\n# slower\n")


@case(
    JUDGE,
    "A percentile is another one.",
    DIFF,
    "| measuring code | `packages/dust-core/src/dust_core/declared/records/aggregate.py` |",
    code=0,
)
def percentile(clone: Clone) -> None:
    path = clone.path("packages/dust-core/src/dust_core/declared/records/aggregate.py")
    path.write_text(path.read_text() + "\n# lower\n")


@case(
    JUDGE,
    "Every value meets its line.",
    DIFF,
    "| judging code | `packages/dust-core/src/dust_core/declared/specs/models/gates.py` |",
    code=0,
)
def met_by(clone: Clone) -> None:
    path = "packages/dust-core/src/dust_core/declared/specs/models/gates.py"
    clone.edit(path, "return value <= line", "return True")


@case(JUDGE, "The review's script exits 0.", DIFF, "| review | `.github/review.sh` |", code=0)
def script(clone: Clone) -> None:
    clone.edit(".github/review.sh", 'exit "$code"', "exit 0")


@case(JUDGE, "The author owns the specs.", DIFF, "| review | `.github/CODEOWNERS` |", code=0)
def owners(clone: Clone) -> None:
    clone.edit(".github/CODEOWNERS", "/specs/ ", "/specs/ @author ")


@case(JUDGE, "nox runs something else.", DIFF, "| environment | `noxfile.py` |", code=0)
def noxfile(clone: Clone) -> None:
    path = clone.path("noxfile.py")
    path.write_text(path.read_text() + "\n# nothing\n")


@case(
    JUDGE,
    "The locked runtime is another release.",
    DIFF,
    "| environment | `requirements.lock` |",
    code=0,
)
def locked(clone: Clone) -> None:
    path = clone.path("requirements.lock")
    path.write_text(path.read_text() + "# other\n")


@case(
    JUDGE, "Results come from another remote.", DIFF, "| data and store | `.dvc/config` |", code=0
)
def remote(clone: Clone) -> None:
    clone.edit(".dvc/config", "url = ../store", "url = /tmp/mine")


@case(
    JUDGE,
    "The data of the workload are others.",
    DIFF,
    "| data and store | `data/workload.dvc` |",
    code=0,
)
def data(clone: Clone) -> None:
    path = clone.path("data/workload.dvc")
    path.write_text(path.read_text().replace("md5: ", "md5: 0", 1))


@case(
    JUDGE,
    "A module at the top hides one of Python's.",
    DIFF,
    "| environment | `statistics.py` (new) |",
    code=0,
)
def hiding_module(clone: Clone) -> None:
    clone.path("statistics.py").write_text("fmean = max\n")


@case(
    JUDGE,
    "A file of DVC's elsewhere owns a result.",
    DIFF,
    "| data and store | `elsewhere/kq.dvc` (new) |",
    code=0,
)
def other_dvc_file(clone: Clone) -> None:
    clone.path("elsewhere").mkdir()
    clone.path("elsewhere/kq.dvc").write_text("outs: []\n")
