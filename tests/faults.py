"""Helpers for the tests of faults: journals, runs, and processes that should have ended."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from fitreel.journal.records import Record, read

LIMIT = 120.0  # seconds: a generous time limit, so that a test fails instead of hanging
SPOOL = "FITREEL_SPOOL"
ARTIFACTS = {  # of a complete run
    "data/dataset.csv",
    "data/scatter.png",
    "network.txt",
    "player.html",
    "rst.gif",
    "rst.png",
    "training/frames.safetensors",
    "training/history.csv",
    "training/provenance.json",
    "weights.csv",
    "weights.safetensors",
}


def client(directory: Path) -> MlflowClient:
    """Open the store of a directory."""
    return MlflowClient(f"sqlite:///{directory}/mlflow.db")


def runs(store: MlflowClient) -> list[Run]:
    """Return all runs of a store, the newest first."""
    experiments = [each.experiment_id for each in store.search_experiments()]
    return list(store.search_runs(experiments))


def losses(store: MlflowClient, run_id: str) -> list[float]:
    """Return the losses of a run; assert that each epoch is stored once and in order."""
    points = store.get_metric_history(run_id, "loss")
    assert [point.step for point in points] == list(range(len(points)))
    return [point.value for point in points]


def journals(spool: Path) -> list[Path]:
    """Return the non-empty journals of a spool, the oldest first; scratch ones are empty."""
    return sorted(path.parent for path in spool.glob("*/journal") if _size(path))


def _size(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def records(journal: Path) -> Iterator[Record]:
    """Yield the records of a journal, which another process may be writing or removing."""
    with suppress(FileNotFoundError):
        yield from (record for _, record in read(journal))


def wait_until(happened: Callable[[], bool], what: str, pause: float = 0.02) -> None:
    """Wait until ``happened`` returns True."""
    end = time.monotonic() + LIMIT
    while not happened():
        assert time.monotonic() < end, f"waited {LIMIT:g} s: {what}"
        time.sleep(pause)


def marked(spool: Path) -> list[psutil.Process]:
    """Return the processes that use this spool, including children."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            mine = process.environ().get(SPOOL) == str(spool)
            if mine and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found
