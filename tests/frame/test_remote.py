"""A DVC remote on a server: S3 on loopback, which checks its credentials."""

import filecmp
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest

ROOT = Path(__file__).parents[2]
BUCKET = "dust"
REGION = "us-east-1"
ALL_OF_S3 = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
UNSIGNED = 4
"""How many requests the server takes before it checks signatures: those that make its user."""
P0 = ("freeze_workload", "train_teacher", "evaluate_teacher", "judge_teacher")
P0_TASKS = ["P0-1", "P0-teacher", "P0-2", "P0-3"]


@dataclass(frozen=True)
class Server:
    """A server, and the key of its only user."""

    url: str
    key: str
    secret: str
    process: subprocess.Popen[str]

    def configure(self, project: Path, secret: str | None = None, bucket: str = BUCKET) -> None:
        """Make the server the project's remote, as docs/machines.md says."""
        for words in (
            ("add", "--default", "--force", "s3", f"s3://{bucket}/cache"),
            ("modify", "s3", "endpointurl", self.url),
            ("modify", "s3", "region", REGION),
            ("modify", "--local", "s3", "access_key_id", self.key),
            ("modify", "--local", "s3", "secret_access_key", secret or self.secret),
        ):
            dvc(project, "remote", *words)


def call(folder: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def dvc(folder: Path, *words: str) -> None:
    call(folder, sys.executable, "-m", "dvc", *words)


def start_server() -> Server:
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
        env=os.environ | {"INITIAL_NO_AUTH_ACTION_COUNT": str(UNSIGNED)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    lines = (re.search(r"Running on (http://127\.0\.0\.1:\d+)", line) for line in process.stderr)
    url = next(line[1] for line in lines if line)
    nobody = {"region_name": REGION, "aws_access_key_id": "-", "aws_secret_access_key": "-"}
    users = boto3.client("iam", endpoint_url=url, **nobody)
    users.create_user(UserName="dust")
    key = users.create_access_key(UserName="dust")["AccessKey"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": [ALL_OF_S3]})
    users.put_user_policy(UserName="dust", PolicyName="s3", PolicyDocument=policy)
    boto3.client("s3", endpoint_url=url, **nobody).create_bucket(Bucket=BUCKET)
    return Server(url, key["AccessKeyId"], key["SecretAccessKey"], process)


@pytest.fixture
def server() -> Iterator[Server]:
    running = start_server()
    yield running
    running.process.kill()
    running.process.communicate()


def forget(repository: Path) -> None:
    """Leave what a clone has: no result, no cache, no note of what was executed."""
    shutil.rmtree(repository / "artifacts")
    shutil.rmtree(repository / ".dvc" / "cache")
    (repository / "executed.txt").unlink(missing_ok=True)


def test_a_clone_pulls_a_checkpoint_from_the_server(server: Server, tmp_path: Path) -> None:
    origin, clone = tmp_path / "origin", tmp_path / "clone"
    origin.mkdir()
    call(origin, "git", "init", "--quiet")
    dvc(origin, "init", "--quiet")
    (origin / "teacher.pth").write_bytes(os.urandom(3_000_000))
    server.configure(origin)
    dvc(origin, "add", "teacher.pth")
    dvc(origin, "push")
    call(origin, "git", "add", ".")
    call(origin, "git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "teacher")

    call(tmp_path, "git", "clone", "--quiet", str(origin), str(clone))
    assert not (clone / "teacher.pth").exists()
    assert server.secret not in (clone / ".dvc" / "config").read_text()
    assert not (clone / ".dvc" / "config.local").exists()
    server.configure(clone)
    dvc(clone, "pull")
    assert filecmp.cmp(clone / "teacher.pth", origin / "teacher.pth", shallow=False)


@pytest.mark.slow
def test_repro_fetches_from_the_server_and_runs_nothing_where_it_cannot(
    server: Server, run: Callable, install: Callable, repository: Path
) -> None:
    install(**dict.fromkeys(P0, "measured"))
    server.configure(repository)
    run("dust", "pipeline")
    judged = run("dust", "repro", "P0", "--draft")
    assert (repository / "executed.txt").read_text().split() == P0_TASKS
    dvc(repository, "push")

    forget(repository)
    fetched = run("dust", "repro", "P0", "--draft")
    assert (fetched.returncode, fetched.stdout[-400:]) == (judged.returncode, judged.stdout[-400:])
    assert not (repository / "executed.txt").exists()

    forget(repository)
    server.configure(repository, secret="mistyped")
    refused = run("dust", "repro", "P0", "--draft")
    assert refused.returncode == 2
    assert "s3://dust/cache: the DVC remote 's3' refuses these credentials: " in refused.stderr
    assert "dvc remote modify --local s3" in refused.stderr

    server.configure(repository, bucket="dsut")
    elsewhere = run("dust", "repro", "P0", "--draft")
    assert elsewhere.returncode == 2
    assert "s3://dsut/cache: the DVC remote 's3' has no bucket 'dsut'" in elsewhere.stderr

    server.configure(repository)
    server.process.kill()
    unanswered = run("dust", "repro", "P0", "--draft")
    assert unanswered.returncode == 2
    assert "s3://dust/cache: the DVC remote 's3' cannot be used: Could not connect" in (
        unanswered.stderr
    )
    for done in (refused, elsewhere, unanswered):
        assert done.stderr.count("error: ") == 1
        assert "Traceback" not in done.stderr + done.stdout
    assert not (repository / "executed.txt").exists()


@pytest.mark.parametrize("name", ["student.pth", "a/student.onnx", "a/student_int8.trt"])
def test_git_takes_no_weights_and_no_engines(name: str) -> None:
    ignored = subprocess.run(["git", "check-ignore", "--no-index", "-q", name], cwd=ROOT)
    assert ignored.returncode == 0, f"git add would take {name}"
    listed = ("git", "ls-files", f"*{Path(name).suffix}", ":!tests/examples")
    assert subprocess.run(listed, cwd=ROOT, capture_output=True, text=True).stdout == ""


def test_dvc_accepts_the_commands_of_the_documentation(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "machines.md").read_text()
    commands = re.findall(r"^    dvc (remote .+)$", text, re.MULTILINE)
    assert {line.split()[3] for line in commands if line.startswith("remote add")} == {
        "s3", "gcs", "azure", "ssh",
    }  # fmt: skip
    dvc(tmp_path, "init", "--no-scm", "--quiet")
    for command in commands:
        dvc(tmp_path, *command.split())
    shared = (tmp_path / ".dvc" / "config").read_text()
    assert not re.search("secret|sas_token|credentialpath|keyfile", shared)
