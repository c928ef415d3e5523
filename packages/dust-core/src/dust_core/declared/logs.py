"""The log of a run: everything goes to a file, the main steps to the terminal as well."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class _LogFile(logging.FileHandler):
    """A log file that ends, rather than the run, where the disk is full."""

    def handleError(self, record: logging.LogRecord) -> None:
        self.setLevel(logging.CRITICAL + 1)

    def close(self) -> None:
        try:
            super().close()
        except OSError:
            self.stream = None


@contextmanager
def logging_to(path: Path, *, shown: bool = True) -> Iterator[None]:
    """Log everything in the block, with warnings, to a new file at `path`.

    Args:
        path: the log file; its folder is made.
        shown: also show the messages of DUST itself on the terminal.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = _LogFile(path, mode="w", encoding="utf-8")
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    terminal = logging.StreamHandler()
    terminal.setFormatter(logging.Formatter("%(message)s"))
    terminal.addFilter(lambda record: record.name.startswith("dust"))
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    handlers = (file, terminal) if shown else (file,)
    for handler in handlers:
        root.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            root.removeHandler(handler)
            handler.close()
        logging.captureWarnings(False)
        root.setLevel(level)
