"""The `mlflow run` that may have started this process: the two end together."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from mlflow.environment_variables import MLFLOW_RUN_ID


@contextmanager
def following_project_runner() -> Iterator[None]:
    """End this process with the `mlflow run` that started it, if one did.

    An interrupted block ends the runner too. Otherwise the runner would replace KILLED by FAILED:
    it compares the status, a name, with numbers.
    """
    runner = _project_runner() if MLFLOW_RUN_ID.name in os.environ else None
    if runner:
        threading.Thread(target=_end_with, args=(runner,), name="follower", daemon=True).start()
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        if runner:
            with suppress(psutil.NoSuchProcess):
                runner.terminate()
        raise


def _project_runner() -> psutil.Process | None:
    # Not only the direct parent: MLflow starts a project in bash.
    for parent in psutil.Process().parents():
        with suppress(psutil.Error):
            # As in: python -m mlflow run, or python /usr/bin/mlflow run.
            words = [Path(word).name for word in parent.cmdline()[:4]]
            if "mlflow" in words and "run" in words:
                return parent
    return None


def _end_with(runner: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        # psutil compares start times: another process with the same number does not count.
        while runner.is_running() and runner.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.5)
    # As a signal, because only the main thread can unwind and close the run.
    os.kill(os.getpid(), signal.SIGTERM)
