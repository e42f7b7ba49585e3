"""What the tests of faults look at: journals, runs, and processes that should be gone."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from fitreel.journal.journal import Record, read

LIMIT = 120.0  # seconds that anything here may take: generous, or the test would hang
SPOOL = "FITREEL_SPOOL"
ARTIFACTS = {  # of a whole run
    "data/dataset.csv",
    "data/scatter.png",
    "network.txt",
    "player.html",
    "rst.gif",
    "rst.png",
    "training/frames.safetensors",
    "training/history.csv",
    "weights.csv",
    "weights.safetensors",
}


def client(directory: Path) -> MlflowClient:
    """Open the store of a directory."""
    return MlflowClient(f"sqlite:///{directory}/mlflow.db")


def runs(store: MlflowClient) -> list[Run]:
    """Give all runs of a store, the newest first."""
    experiments = [each.experiment_id for each in store.search_experiments()]
    return list(store.search_runs(experiments))


def losses(store: MlflowClient, run_id: str) -> list[float]:
    """Give the losses of a run, which are there once each and in order."""
    points = store.get_metric_history(run_id, "loss")
    assert [point.step for point in points] == list(range(len(points)))
    return [point.value for point in points]


def journals(spool: Path) -> list[Path]:
    """Give the journals of a spool that hold something, the oldest first; scratch never does."""
    return sorted(path.parent for path in spool.glob("*/journal") if _size(path))


def _size(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def records(journal: Path) -> Iterator[Record]:
    """Give the records of a journal that may be written or removed meanwhile."""
    with suppress(FileNotFoundError):
        yield from (record for _, record in read(journal))


def wait_until(happens: Callable[[], bool], what: str, pause: float = 0.02) -> None:
    """Look until it happens."""
    end = time.monotonic() + LIMIT
    while not happens():
        assert time.monotonic() < end, f"waited {LIMIT:g} s: {what}"
        time.sleep(pause)


def marked(spool: Path) -> list[psutil.Process]:
    """Give the processes that were started with a spool of their own, and all their children."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            mine = process.environ().get(SPOOL) == str(spool)
            if mine and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found
