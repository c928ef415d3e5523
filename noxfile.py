"""The environments in which DUST is used. The sessions call the `dust` command in them.

`runtime` installs requirements.lock once into .nox/runtime, and every session that needs it runs
there. nox would create an environment for each session; those sessions have none and share this
one. Where NOX_DEFAULT_VENV_BACKEND is `none`, as in the containers, all sessions run in nox's own
environment.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from shutil import rmtree, which
from sysconfig import get_path

import nox

nox.needs_version = ">=2026.10"
nox.options.sessions = ["lint", "specs", "tests"]

IN_PLACE = os.environ.get("NOX_DEFAULT_VENV_BACKEND") == "none"
BIN = "Scripts" if sys.platform == "win32" else "bin"
ROOT = Path(__file__).parent
LOCK = "requirements.lock"
DIST = ROOT / "dist"
ONE_THREAD = {"OMP_NUM_THREADS": "1"}  # to each of several test processes
PACKAGES = ("dust-core", "dust-eval", "dust-compress")
EXTRAS = {
    "dust-core": "torch,onnx,data,cluster",
    "dust-eval": "torch,runtimes,scene,report,cluster,s3",
    "dust-compress": "distill,quantize,engine",
}


@nox.session(reuse_venv=True, default=False)
def runtime(session: nox.Session) -> None:
    """Install the locked versions and the three packages (the other sessions call it)."""
    if IN_PLACE:
        return
    if sys.version_info < (3, 11):  # noqa: UP036 (nox itself runs on older ones)
        session.error(f"DUST needs Python 3.11 or later, and nox runs on {sys.version.split()[0]}")
    inputs = [ROOT / LOCK, *(ROOT / "packages" / name / "pyproject.toml" for name in PACKAGES)]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in inputs)).hexdigest()
    stamp = _runtime(session) / "installed.sha256"
    if stamp.is_file() and stamp.read_text() == digest:
        return
    session.install("-r", LOCK)
    editable = [word for name in PACKAGES for word in ("-e", f"packages/{name}")]
    session.install("--no-deps", "--no-build-isolation", *editable)
    stamp.write_text(digest)


@nox.session(requires=["runtime"], venv_backend="none", default=False)
def p0(session: nox.Session) -> None:
    """P0: freeze the workload, measure the teacher. Options after --: --profile full."""
    _dust(session, "repro", "P0", *session.posargs)


@nox.session(requires=["runtime"], venv_backend="none", default=False)
def p1(session: nox.Session) -> None:
    """P1: distill the students and choose the best."""
    _dust(session, "repro", "P1", *session.posargs)


@nox.session(requires=["runtime"], venv_backend="none", default=False)
def p2(session: nox.Session) -> None:
    """P2: quantize the teacher."""
    _dust(session, "repro", "P2", *session.posargs)


@nox.session(requires=["runtime"], venv_backend="none", default=False)
def p3(session: nox.Session) -> None:
    """P3: quantize the best student."""
    _dust(session, "repro", "P3", *session.posargs)


@nox.session(requires=["runtime"], venv_backend="none", default=False)
def p4(session: nox.Session) -> None:
    """P4: prune the teacher."""
    _dust(session, "repro", "P4", *session.posargs)


@nox.session(requires=["runtime"], venv_backend="none", default=False)
def p5(session: nox.Session) -> None:
    """P5: ablations."""
    _dust(session, "repro", "P5", *session.posargs)


@nox.session(requires=["runtime"], venv_backend="none", default=False)
def repro(session: nox.Session) -> None:
    """Every stage whose inputs changed, P0 to P5, and their verdicts."""
    _dust(session, "repro", *session.posargs)


@nox.session(requires=["runtime"], venv_backend="none", default=False)
def report(session: nox.Session) -> None:
    """The report on everything that has run."""
    _dust(session, "report", *session.posargs)


@nox.session(requires=["runtime"], venv_backend="none")
def tests(session: nox.Session) -> None:
    """The whole test suite, on every core. Options after -- go to pytest."""
    # Tests of a file share fixtures that compile engines.
    parallel = ("-n", "logical", "--dist", "loadfile")
    _run(session, "python", "-m", "pytest", *parallel, *session.posargs, **ONE_THREAD)


@nox.session(requires=["runtime"], venv_backend="none", default=False)
def faults(session: nox.Session) -> None:
    """Kills, signals, full disks, damaged and hostile files. Options after --: --seconds 60."""
    _run(session, "python", "benchmarks/faults.py", *session.posargs)


@nox.session(requires=["runtime"], venv_backend="none")
def lint(session: nox.Session) -> None:
    """Style, formatting, types, and the pins of the containers."""
    _run(session, "ruff", "check")
    _run(session, "ruff", "format", "--check")
    _run(session, "mypy")
    _run(session, "python", "containers/check.py")


@nox.session(reuse_venv=True)
def specs(session: nox.Session) -> None:
    """Check that the specs are valid and that everything generated from them is fresh."""
    if not IN_PLACE:
        session.install("-c", LOCK, "--build-constraint", LOCK, "./packages/dust-core")
    for command in (
        ("validate", "specs", "--ignore", "DATA002"),  # `dvc pull` brings the data
        ("spec", "schema", "--check"),
        ("spec", "docs", "--check"),
        ("pipeline", "--check"),
    ):
        session.run("dust", *command)


@nox.session(reuse_venv=True, default=False)
def release(session: nox.Session) -> None:
    """Build archives of the sources, and the wheels from them, in dist; check both."""
    if not IN_PLACE:
        session.install("-c", LOCK, "--group", "build")
    rmtree(DIST, ignore_errors=True)
    for name in PACKAGES:
        source = f"packages/{name}"
        session.run("python", "-m", "build", "--no-isolation", "--outdir", str(DIST), source)
    session.run("python", "-m", "twine", "check", "--strict", *map(str, sorted(DIST.iterdir())))


@nox.session(requires=["release"], default=False)
@nox.parametrize("package", PACKAGES)
def wheels(session: nox.Session, package: str) -> None:
    """Install each wheel in a bare environment, and use it."""
    wheel = next(DIST.glob(f"{package.replace('-', '_')}-*.whl"))
    session.install("-c", LOCK, "--find-links", str(DIST), str(wheel))
    session.run("python", str(ROOT / "tests" / "frame" / "bare_environment.py"), package)


@nox.session(requires=["runtime"], venv_backend="none", default=False)
def figures(session: nox.Session) -> None:
    """Write what documents show of results: tables, model cards, the generated references."""
    _run(session, "python", "docs/tables.py")
    _dust(session, "cards")
    _dust(session, "spec", "schema")
    _dust(session, "spec", "docs")
    _dust(session, "pipeline")


@nox.session(requires=["runtime"], venv_backend="none", default=False)
def docs(session: nox.Session) -> None:
    """Build the documentation's site in build/docs/site; fails on a broken link."""
    _run(session, "python", "-m", "pages", *session.posargs, PYTHONPATH=str(ROOT / "tools"))


@nox.session(requires=["runtime"], venv_backend="none", default=False)
def containers(session: nox.Session) -> None:
    """Build the CPU image twice with one result, list it, and use it. Options after --: --keep."""
    _run(session, "python", "containers/build.py", *session.posargs)


@nox.session(default=False)
def lock(session: nox.Session) -> None:
    """Write the locks of Python's packages anew from what the packages and the groups require."""
    asked = [f"./packages/{name}[{EXTRAS[name]}]" for name in PACKAGES]
    session.install(*asked, "--group", "dev")
    # setuptools is a requirement too, which freeze passes over.
    frozen = session.run("pip", "freeze", "--all", "--exclude=pip", "--exclude=wheel", silent=True)
    path = ROOT / LOCK
    header = [line for line in path.read_text().splitlines() if line.startswith("#")]
    pins = [line.partition("+")[0] for line in str(frozen).splitlines() if "==" in line]
    path.write_text("\n".join([*header, *pins]) + "\n")
    session.run("python", "containers/hashes.py")


def _dust(session: nox.Session, *arguments: str) -> None:
    # It ends with nox, even where that is killed.
    _run(session, "dust", *arguments, DUST_STARTER=str(os.getpid()))


def _run(session: nox.Session, program: str, *arguments: str, **variables: str) -> None:
    """Run a program of the runtime environment; nox ends with its exit code if that is not 0."""
    session.log(" ".join((program, *arguments)))
    # Debian's own Python is not in the folder of its scripts.
    folder = Path(get_path("scripts")) if IN_PLACE else _runtime(session) / BIN
    path = os.pathsep.join((str(folder), os.environ["PATH"]))
    command = [which(program, path=path) or str(folder / program), *arguments]
    with subprocess.Popen(command, env={**os.environ, **variables, "PATH": path}) as process:
        while (code := _waited(process)) is None:
            pass
    if code:
        raise SystemExit(code)


def _waited(process: "subprocess.Popen[bytes]") -> int | None:
    """The exit code of a program; None after Ctrl-C, which it got too, and after which it ends."""
    try:
        return process.wait()
    except KeyboardInterrupt:
        return None


def _runtime(session: nox.Session) -> Path:
    """The folder of the environment of the session `runtime`."""
    return session.cache_dir.resolve().parent / "runtime"
