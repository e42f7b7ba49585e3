"""A real `mlflow server` that can be killed and restarted with the same runs and address."""

import os
import signal
import socket
import time
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Self

from tests import processes
from tests.conftest import free_port
from tests.stores import new_store


class Server:
    """A server for the runs of a directory; a context manager that starts and stops it.

    ``database``, a file or a URL, replaces the default, the mlflow.db of the directory.
    """

    def __init__(self, directory: Path, database: Path | str | None = None) -> None:
        self.directory = directory
        url = f"sqlite:///{database}" if isinstance(database, Path) else database
        self._store = ["--backend-store-uri", url] if url else []
        self._log = directory / "server.log"
        self._port = free_port()
        self._process: ForkServerProcess | None = None
        self.url = f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start the server; wait until it answers."""
        self._log.mkdir(exist_ok=True)
        if not (self._store or (self.directory / "mlflow.db").exists()):
            new_store(self.directory, "mlflow-artifacts:/0")  # as a server makes it
        self._process = processes.start_mlflow(
            *("server", "--port", str(self._port), "--workers", "1", *self._store),
            directory=self.directory,
            output_to=self._log,
            # Otherwise the runners of background jobs would leave their queues in /dev/shm.
            MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false",
        )
        while not self._answers():
            assert self._process.is_alive(), (self._log / "err").read_text()
            time.sleep(0.1)

    def stop(self) -> None:
        """Kill the server and all its processes, if it is running."""
        if self._process:
            assert self._process.pid
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.join()
            self._process = None

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
