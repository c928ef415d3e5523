"""A signal ends a process with its code and without a traceback, whenever it comes."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from dust_core.stopping import STARTER, Stopped, stop_signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_until_somebody_can_catch_it(number: signal.Signals) -> None:
    with stop_signals() as stop:
        os.kill(os.getpid(), number)
        assert stop.received is number
        with pytest.raises(Stopped, match=number.name):
            stop.unblock()
    assert stop.exit_code == 128 + number


def test_a_later_signal_is_raised_at_once() -> None:
    with stop_signals() as stop:
        stop.unblock()
        with pytest.raises(Stopped, match="SIGTERM"):
            os.kill(os.getpid(), signal.SIGTERM)


def test_a_process_whose_starter_is_gone_ends_without_a_traceback() -> None:
    program = """
        import sys, time
        from dust_core.stopping import stop_signals

        with stop_signals() as stop:
            try:
                stop.unblock()
                time.sleep(30)
            except KeyboardInterrupt:
                sys.exit(stop.exit_code)
    """
    starter = subprocess.Popen([sys.executable, "-c", ""])
    starter.wait()
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={**os.environ, STARTER: str(starter.pid)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (143, "")
