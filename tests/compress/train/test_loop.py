import errno
import json
import multiprocessing
import random
import subprocess
import sys
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import torch

from dust_compress.train import Validation, train
from dust_core.errors import DustError

SCRIPT = Path(__file__).with_name("tiny_training.py")
sys.path.insert(0, str(SCRIPT.parent))

import tiny_training as tiny  # noqa: E402

# A server that has imported torch once forks every process of these tests in milliseconds.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    ["dust_compress.train", "torch._dynamo", "dvclive", "matplotlib.figure"]
)


def start(folder: Path, delay: float) -> BaseProcess:
    process = CONTEXT.Process(target=tiny.main, args=(folder, delay))
    process.start()
    return process


def load(path: Path) -> dict[str, Any]:
    return torch.load(path, weights_only=True)  # noqa: TID251 - written by this very test


def saved_step(folder: Path) -> int:
    path = folder / "state.pt"
    return load(path)["state"]["step"] if path.exists() else 0


def wait_for_progress(process: BaseProcess, folder: Path, step: int) -> None:
    while process.is_alive() and saved_step(folder) < step:
        pass


def test_twenty_kills_change_no_bit(tmp_path: Path) -> None:
    alone = tiny.digest(
        train(tiny.Regression(), tiny.Stream(), tiny.PLAN, tmp_path / "alone", tiny.validate)
    )
    folder, rng, kills = tmp_path / "killed", random.Random(1), 0
    while True:
        process = start(folder, 0.02)
        if kills < 20:
            # Wherever the next steps have got to: in a step, in a save, in a validation.
            wait_for_progress(process, folder, saved_step(folder) + 1)
            process.join(rng.uniform(0, 0.04))
            if process.is_alive():
                process.kill()
                kills += 1
        process.join()
        if process.exitcode == 0:
            break
    assert kills == 20
    assert (folder / "digest").read_text() == alone


def test_sigterm_saves_and_says_how_to_go_on(tmp_path: Path) -> None:
    process = start(tmp_path, 0.05)
    wait_for_progress(process, tmp_path, 2)
    process.terminate()
    process.join()
    message = (tmp_path / "message").read_text()
    assert "stopped by SIGTERM after" in message and "it resumes here" in message
    assert process.exitcode == 143


def test_a_signal_during_the_last_validation_ends_the_process_too(tmp_path: Path) -> None:
    process = CONTEXT.Process(target=tiny.stopped_at_the_end, args=(tmp_path,))
    process.start()
    process.join()
    assert process.exitcode == 143
    plan = replace(tiny.PLAN, epochs=1)
    whole = train(tiny.Regression(), tiny.Stream(), plan, tmp_path, tiny.validate)
    assert whole.epochs == 1  # the state of the finished training, which is not lost


def test_patience_ends_a_training_that_no_longer_improves(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    scores = iter([3.0, 2.0, 2.5, 2.4, 2.3, 1.0])
    outcome = train(
        tiny.Regression(),
        tiny.Stream(),
        replace(tiny.PLAN, patience=3),
        tmp_path,
        lambda network: Validation(next(scores), {}),
    )
    assert outcome.stopped_early
    assert (outcome.epochs, outcome.best_epoch, outcome.score) == (5, 2, 2.0)
    said = "".join(capfd.readouterr())
    assert "epoch 2 of 5 is best and is kept, stopped early after" in said


def test_the_average_of_a_short_training_is_not_what_it_began_with(tmp_path: Path) -> None:
    with torch.no_grad():
        untrained = tiny.validate(tiny.Regression().network).score
    plain, averaged = (
        train(
            tiny.Regression(),
            tiny.Stream(),
            replace(tiny.PLAN, ema_decay=decay, learning_rate=5e-2),
            tmp_path / str(decay),
            tiny.validate,
        ).score
        for decay in (None, 0.999)
    )
    assert averaged < untrained - 0.5 * (untrained - plain)


def test_another_plan_is_refused_by_name(tmp_path: Path) -> None:
    train(tiny.Regression(), tiny.Stream(), tiny.PLAN, tmp_path, tiny.validate)
    other = replace(tiny.PLAN, learning_rate=2e-2)
    with pytest.raises(DustError, match=r"learning_rate was 0.01, is 0.02"):
        train(tiny.Regression(), tiny.Stream(), other, tmp_path, tiny.validate)


def test_a_truncated_state_is_one_message(tmp_path: Path) -> None:
    train(tiny.Regression(), tiny.Stream(), tiny.PLAN, tmp_path, tiny.validate)
    path = tmp_path / "state.pt"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DustError, match=r"state.pt: cannot resume") as caught:
        train(tiny.Regression(), tiny.Stream(), tiny.PLAN, tmp_path, tiny.validate)
    assert "delete state.pt" in str(caught.value)


def test_divergence_stops_with_advice(tmp_path: Path) -> None:
    class Broken(tiny.Regression):
        def forward(self, batch, progress):
            return {"total": super().forward(batch, progress)["total"] * float("nan")}

    with pytest.raises(DustError, match="not finite in 10 steps"):
        train(Broken(), tiny.Stream(), tiny.PLAN, tmp_path, tiny.validate)


def test_a_validation_that_is_not_finite_is_never_the_best(tmp_path: Path) -> None:
    scores = iter([2.0, float("nan")])
    with pytest.raises(DustError, match="validation loss is nan after epoch 2") as caught:
        train(
            tiny.Regression(),
            tiny.Stream(),
            tiny.PLAN,
            tmp_path,
            lambda network: Validation(next(scores), {}),
        )
    assert caught.value.exit_code == 1
    assert load(tmp_path / "state.pt")["state"]["best_score"] == 2.0


def test_a_resumed_run_logs_no_epoch_twice(tmp_path: Path) -> None:
    short = replace(tiny.PLAN, epochs=6)
    for _ in range(2):  # the second call finds a finished training and only logs it again
        outcome = train(tiny.Regression(), tiny.Stream(), short, tmp_path, tiny.validate)
    table = (tmp_path / "dvclive" / "plots" / "metrics" / "val" / "error.tsv").read_text()
    assert len(table.splitlines()) == 1 + len(outcome.history) == 7
    assert json.loads((tmp_path / "dvclive" / "metrics.json").read_text())["epoch"] == 6
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_two_ranks_train_as_one(tmp_path: Path) -> None:
    script = tmp_path / "ranks.py"
    script.write_text(
        "import sys; from pathlib import Path; from dataclasses import replace\n"
        f"sys.path.insert(0, {str(SCRIPT.parent)!r})\n"
        "import torch, tiny_training as tiny\n"
        "from dust_compress.train import train\n"
        "from dust_compress.train.distributed import World\n"
        "class Quiet(tiny.Regression):\n"
        "    def forward(self, batch, progress):\n"
        "        error = (self.network(batch[0]) - batch[1]).square().mean()\n"
        "        return {'total': error}\n"
        "tiny.PLAN = replace(tiny.PLAN, precision='float32')\n"
        "world = World.join('cpu')\n"
        "folder = Path(sys.argv[1])\n"
        "out = train(Quiet(), tiny.Stream(world.rank, world.size), tiny.PLAN, folder,"
        " tiny.validate)\n"
        "if world.rank == 0: torch.save(out.weights, folder / 'weights.pt')\n"
    )
    launcher = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc_per_node",
        "2",
    ]
    for name, command in (("alone", [sys.executable]), ("together", launcher)):
        (tmp_path / name).mkdir()
        subprocess.run([*command, str(script), str(tmp_path / name)], check=True)
    alone = load(tmp_path / "alone" / "weights.pt")
    together = load(tmp_path / "together" / "weights.pt")
    for key, value in alone.items():
        torch.testing.assert_close(together[key], value, rtol=1e-4, atol=1e-5)


def test_a_full_disk_ends_a_training_in_one_message_and_it_goes_on_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dvclive writes by itself, outside of what we write."""
    from dvclive.live import Live

    plan = replace(tiny.PLAN, epochs=2, precision="float32")

    def run(name: str) -> str:
        folder = tmp_path / name
        return tiny.digest(train(tiny.Regression(), tiny.Stream(), plan, folder, tiny.validate))

    alone = run("alone")

    def full(self: Live, *arguments: object, **named: object) -> None:
        (tmp_path / "full" / "dvclive" / "metrics.json").write_text("")
        raise OSError(errno.ENOSPC, "No space left on device")

    for method in ("log_metric", "end"):
        with monkeypatch.context() as patch:
            patch.setattr(Live, method, full)
            (tmp_path / "full" / "dvclive").mkdir(parents=True, exist_ok=True)
            with pytest.raises(DustError, match="cannot write here: No space left") as caught:
                run("full")
        assert caught.value.exit_code == 1 and "goes on from what is saved" in caught.value.fix
    assert run("full") == alone
    assert json.loads((tmp_path / "full" / "dvclive" / "metrics.json").read_text())
