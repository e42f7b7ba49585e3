"""Which process writes a run, and whether it still lives."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from mlflow.environment_variables import MLFLOW_RUN_ID

HOST_TAG = "fitreel.host"
MACHINE_TAG = "fitreel.machine"
PROCESS_TAG = "fitreel.process"
HEARTBEAT_TAG = "fitreel.heartbeat"
BEAT = 30  # seconds from one heartbeat to the next


def process_tags() -> dict[str, str]:
    """Name this process, so that any other can tell later whether it lives."""
    me = psutil.Process()
    return {
        HOST_TAG: socket.gethostname(),
        MACHINE_TAG: machine(),
        PROCESS_TAG: f"{me.pid} started {me.create_time():.2f}",
    } | heartbeat()


def heartbeat() -> dict[str, str]:
    """Say that the process lived just now: seconds since 1970."""
    return {HEARTBEAT_TAG: f"{time.time():.0f}"}


def machine() -> str:
    """Name what a process id is unique in: a machine since its start, or a container on it."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:  # no Linux
        return f"{socket.gethostname()} {psutil.boot_time():.0f}"


def is_alive(tags: Mapping[str, str]) -> bool | None:
    """Tell whether the process of these tags lives; None where only its own machine knows."""
    if tags.get(MACHINE_TAG) != machine():
        return None
    pid, _, started = tags.get(PROCESS_TAG, "").partition(" started ")
    try:
        found = psutil.Process(int(pid))
        # The same number may be another process by now.
        same = abs(found.create_time() - float(started)) < 2
        return bool(same and found.status() != psutil.STATUS_ZOMBIE)
    except (ValueError, psutil.NoSuchProcess):
        return False


def silence(tags: Mapping[str, str]) -> float:
    """Give the seconds since the last heartbeat; infinity if there never was one."""
    try:
        return time.time() - float(tags[HEARTBEAT_TAG])
    except (KeyError, ValueError):
        return float("inf")


@contextmanager
def following_project_runner() -> Iterator[None]:
    """End with the `mlflow run` that started this process, if one did, however that ended.

    It is ended too where the block is interrupted, or it would write FAILED over KILLED: MLflow
    looks for the status that it finds, a name, among numbers.
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
    for parent in psutil.Process().parents():
        with suppress(psutil.Error):
            words = [Path(word).name for word in parent.cmdline()[:4]]
            if "mlflow" in words and "run" in words:
                return parent
    return None


def _end_with(runner: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        while runner.is_running() and runner.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)
