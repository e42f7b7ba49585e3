"""A real `mlflow server` that can be killed and restarted with the same runs and address."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

from tests.conftest import environment, free_port


class Server:
    """A server for the runs of a directory; a context manager that starts and stops it.

    ``database``, a file or a URL, replaces the default, the mlflow.db of the directory.
    """

    def __init__(self, directory: Path, database: Path | str | None = None) -> None:
        self.directory = directory
        url = f"sqlite:///{database}" if isinstance(database, Path) else database
        self._store = ["--backend-store-uri", url] if url else []
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start the server; wait until it answers."""
        with (self.directory / "server.log").open("a") as log:
            self._process = subprocess.Popen(
                ["mlflow", "server", "--port", str(self._port), "--workers", "1", *self._store],
                cwd=self.directory,
                # Otherwise the runners of background jobs would leave their queues in /dev/shm.
                env=environment(MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false"),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        while not self._answers():
            assert self._process.poll() is None, (self.directory / "server.log").read_text()
            time.sleep(0.1)

    def stop(self) -> None:
        """Kill the server and all its processes, if it is running."""
        if self._process:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
