"""A signal ends a process with its code and without a traceback, whenever it comes."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from dust_core.stopping import STARTER


def run(*program: str, **variables: str) -> tuple[int, str, str]:
    """The exit code, output and errors of statements within `with stop_signals() as stop:`."""
    lines = """
        import os, signal, sys, time
        from dust_core.stopping import stop_signals

        with stop_signals() as stop:
            try:
    """
    body = textwrap.indent("\n".join(program), 8 * " ")
    ending = "    except KeyboardInterrupt:\n        sys.exit(stop.exit_code)\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{textwrap.dedent(lines)}{body}\n{ending}"],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_until_somebody_can_catch_it(number: signal.Signals) -> None:
    sends, says = f"os.kill(os.getpid(), {int(number)})", "print(stop.received.name, flush=True)"
    assert run(sends, says, "stop.unblock()", "print('on')") == (
        128 + number,
        f"{number.name}\n",
        "",
    )


def test_a_later_signal_is_raised_at_once() -> None:
    sends = f"os.kill(os.getpid(), {int(signal.SIGTERM)})"
    assert run("stop.unblock()", sends, "print('on')") == (143, "", "")


def test_a_process_whose_starter_is_gone_ends_without_a_traceback() -> None:
    starter = subprocess.Popen([sys.executable, "-c", ""])
    starter.wait()
    gone = {STARTER: str(starter.pid)}
    assert run("stop.unblock()", "time.sleep(30)", **gone) == (143, "", "")
