"""The `dust` program; `python -m dust_core` runs it in that Python's own environment."""

import signal
from importlib import import_module


def main() -> None:
    """Load `dust` and run it. Ctrl-C ends what is still loading at once, without a traceback."""
    # What a shell starts in the background ignores Ctrl-C, and `dust` handles it there too.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    import_module("dust_core.cli").main()


if __name__ == "__main__":
    main()
