"""MLflow's own scoring server for tests."""

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import environment, free_port


@contextmanager
def serving(model: Path, log: Path) -> Iterator[str]:
    """Serve a model; yield the address of the server."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = ["mlflow", "models", "serve", "-m", str(model), "--env-manager", "local"]
    with log.open("w") as file:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            env=environment(),
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        while not answers(f"{address}/ping"):
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def answers(address: str) -> bool:
    try:
        urllib.request.urlopen(address).close()
    except OSError:
        return False
    return True


def post(address: str, body: str, kind: str = "application/json") -> tuple[int, str]:
    """Return the status of the answer, and its text."""
    request = urllib.request.Request(
        f"{address}/invocations", body.encode(), {"Content-Type": kind}
    )
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
