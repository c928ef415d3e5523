"""The ranks of a training: `python -m dust_compress.train.ranks 2 MODULE WORD ...`.

It is `torchrun` on one machine, with the exit code of the rank that failed first, 130 or 143 after
Ctrl-C or SIGTERM, and no traceback: the rank's own message says what went wrong.
"""

import logging
import sys
import uuid
from collections.abc import Sequence

_SECONDS_BETWEEN_LOOKS = 0.1


def main(words: Sequence[str]) -> int:
    """Run a module in so many processes that know their ranks; the exit code.

    Args:
        words: the number of ranks, the module, and its arguments.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.disable()  # it would log each signal, and every rank that ends
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=int(words[0]),
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",  # any free port, so that two trainings can run at once
        max_restarts=0,
        monitor_interval=_SECONDS_BETWEEN_LOOKS,
    )
    try:
        elastic_launch(config, sys.executable)("-u", "-m", *words[1:])
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        return failure.exitcode if failure.exitcode > 0 else 128 - failure.exitcode
    except SignalException as error:
        return 128 + int(error.sigval)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
