"""MLflow's user interface of a store that has no server: one on this machine, found or started."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

import requests

HOST = "127.0.0.1"  # nobody else can reach it
USUAL_PORT = 5000  # of `mlflow ui`
ANSWER = 2.0  # seconds, for a server of this machine
START = 90.0  # seconds until a new one answers: it imports much
LONGEST_REASON = 300  # characters


def server_of(run_id: str, port: int = USUAL_PORT) -> str | None:
    """Return the address of a server on this machine if it shows a run; else None."""
    address = f"http://{HOST}:{port}"
    with suppress(requests.RequestException):
        # The run itself, which no other store has: a server may be there, but for another store.
        query = {"run_id": run_id}
        answer = requests.get(f"{address}/api/2.0/mlflow/runs/get", params=query, timeout=ANSWER)
        if answer.ok:
            return address
    return None


@contextmanager
def server(uri: str, run_id: str) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Start a server for a store on this machine; yield its address, and stop it at the end.

    Raises ConnectionError if it ends or does not answer.
    """
    port = _free_port()
    command = [sys.executable, "-P", "-m", "mlflow", "server", "--host", HOST, "--port", str(port)]
    # In the environment, which other users cannot read: a URI may hold a password.
    environment = os.environ | {
        "MLFLOW_BACKEND_STORE_URI": uri,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # only to look: nothing runs jobs
    }
    with (
        tempfile.TemporaryFile() as output,
        # A session of its own, so that it can be stopped with all processes that it starts.
        subprocess.Popen(  # noqa: S603
            [*command, "--workers", "1"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield _answering(process, run_id, port, output), process
        finally:
            _stop(process)


def _answering(
    process: "subprocess.Popen[bytes]", run_id: str, port: int, output: IO[bytes]
) -> str:
    until = time.monotonic() + START
    while process.poll() is None and time.monotonic() < until:
        if address := server_of(run_id, port):
            return address
        time.sleep(0.2)
    output.seek(0)
    *_, last = output.read().decode(errors="replace").split("\n\n")[-1].splitlines() or [""]
    raise ConnectionError(f"MLflow's server did not start: {last.strip()[:LONGEST_REASON]}")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)


def _free_port() -> int:
    """Return the usual port if it is free, else any that is."""
    for port in (USUAL_PORT, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            return int(probe.getsockname()[1])
    raise ConnectionError(f"no port of {HOST} is free")
