"""A real `mlflow server` that can be killed and started again at the same address."""

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from tests.conftest import environment, free_port


class Server:
    """Serve the runs of a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self.directory / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["mlflow", "server", "--port", str(self.port), "--workers", "1"],
                cwd=self.directory,
                # The runners of background jobs would leave their queues in /dev/shm.
                env=environment(MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false"),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        while not self._answers():
            assert self._process.poll() is None, (self.directory / "server.log").read_text()
            time.sleep(0.2)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        """Kill it."""
        if self._process:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
