"""A real Ray cluster on loopback, its nodes processes that can be killed."""

import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from pathlib import Path
from typing import Self

import psutil

from tests.conftest import BIN, environment, free_port


class Node:
    """A node: the processes that a `ray start` leaves, and their workers."""

    def __init__(self, *arguments: str, place: int, cpus: int, changes: dict[str, str]) -> None:
        command = [str(BIN / "ray"), "start", *arguments, f"--num-cpus={cpus}"]
        command += [f"--node-ip-address=127.0.0.{place}", "--object-store-memory=80000000"]
        command += ["--min-worker-port=0", "--max-worker-port=0", "--disable-usage-stats"]
        command += ["--dashboard-agent-listen-port=0"]
        started = subprocess.Popen(
            command,
            cwd=tempfile.gettempdir(),
            env=environment(**changes),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
        )
        self._group = started.pid
        try:
            said, _ = started.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        if started.returncode:
            self.kill()
            raise RuntimeError(said)

    def processes(self) -> list[psutil.Process]:
        """Give the processes of the node that live."""
        found = []
        for process in psutil.process_iter():
            try:
                if os.getpgid(process.pid) == self._group:
                    found += [process, *process.children(recursive=True)]
            except (ProcessLookupError, psutil.NoSuchProcess):
                continue
        return found

    def trains(self) -> bool:
        """Tell whether one of its workers is at a task, as their titles say."""
        return any(_title(each.pid).startswith("ray::train") for each in self.processes())

    def kill(self) -> None:
        """Send SIGKILL to all of them."""
        for process in self.processes():
            try:
                process.send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                continue


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    except OSError:
        return ""


class Cluster:
    """A cluster of a head and more nodes; a context manager that leaves none of their processes."""

    def __init__(self, cpus: int = 1) -> None:
        """Start the head, with a token of its own and a short path for its sockets."""
        token = uuid.uuid4().hex + uuid.uuid4().hex
        self.environment = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}
        self.address = f"127.0.0.2:{free_port()}"
        self._directory = tempfile.mkdtemp(prefix="ray", dir="/tmp")
        self.nodes: list[Node] = []
        port = self.address.partition(":")[2]
        head = ["--head", f"--port={port}", "--include-dashboard=false"]
        try:
            self._start(*head, f"--temp-dir={self._directory}", place=2, cpus=cpus)
        except BaseException:
            self.stop()
            raise

    def add(self, cpus: int = 1) -> Node:
        """Start one more node, at an address of its own."""
        return self._start(f"--address={self.address}", place=len(self.nodes) + 2, cpus=cpus)

    def _start(self, *arguments: str, place: int, cpus: int) -> Node:
        node = Node(*arguments, place=place, cpus=cpus, changes=self.environment)
        self.nodes.append(node)
        return node

    def stop(self) -> None:
        """Kill all nodes."""
        for node in self.nodes:
            node.kill()
        shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
