"""The time limits of requests to a server.

MLflow reads both from the environment, which all threads share: while several requests run, the
longest of their limits applies to those that start. A limit that the user set is kept.
"""

import math
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlflow.environment_variables import (
    MLFLOW_HTTP_REQUEST_MAX_RETRIES,
    MLFLOW_HTTP_REQUEST_TIMEOUT,
)

FIRST = 4.0  # seconds for the first answer of a server
CALL = 10.0  # for a small call
CREATION = 60.0  # for a call that must not be made twice
TRANSFER = 120.0  # for a file, besides the time that its bytes take
RATE = 50_000  # bytes a second
MOST = 8  # times as long is what a slow server gets
OURS = "FITREEL_REQUEST_TIMEOUT"  # what we wrote, so that a child process knows whose it is


class RequestLimit:
    """The limit for requests that start now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._least = CALL
        self._longer: list[float] = []  # what running calls asked for
        self._factor = 1

    def start(self, seconds: float) -> None:
        """Set the limit of small calls, and forget how slow a server was."""
        # MLflow would retry by itself, for minutes and without a word. We retry, and report it.
        os.environ.setdefault(MLFLOW_HTTP_REQUEST_MAX_RETRIES.name, "0")
        with self._lock:
            self._least, self._factor = seconds, 1
            self._write()

    def settle(self) -> None:
        """Set the limit of small calls to that of a server that has answered."""
        with self._lock:
            self._least = CALL
            self._write()

    def stretch(self) -> None:
        """Double all limits: a server needed longer."""
        with self._lock:
            self._factor = min(MOST, 2 * self._factor)
            self._write()

    def release(self) -> None:
        """Remove what we wrote: requests of others have MLflow's own limits again."""
        with self._lock:
            if os.environ.pop(OURS, None) == os.environ.get(MLFLOW_HTTP_REQUEST_TIMEOUT.name):
                os.environ.pop(MLFLOW_HTTP_REQUEST_TIMEOUT.name, None)

    @contextmanager
    def allowing(self, seconds: float) -> Iterator[None]:
        """Allow requests of this block to take longer."""
        with self._lock:
            self._longer.append(seconds)
            self._write()
        try:
            yield
        finally:
            with self._lock:
                self._longer.remove(seconds)
                self._write()

    def _write(self) -> None:
        name = MLFLOW_HTTP_REQUEST_TIMEOUT.name
        # Only if nobody set it, or what is set is what we wrote.
        if os.environ.get(name) in (None, os.environ.get(OURS)):
            seconds = max(self._least, *self._longer, 0) * self._factor
            os.environ[name] = os.environ[OURS] = str(math.ceil(seconds))


request_limit = RequestLimit()


def transfer(size: int) -> float:
    """Return the seconds that a file of so many bytes may take."""
    return TRANSFER + size / RATE


def largest_file(path: Path) -> int:
    """Return the bytes of a file, or of the largest in a folder: each is a request of its own."""
    files = [path] if path.is_file() else path.rglob("*")
    return max((each.stat().st_size for each in files if each.is_file()), default=0)
