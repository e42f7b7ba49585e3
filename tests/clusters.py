"""A real Ray cluster on loopback, whose nodes are processes that can be killed."""

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
    """A node: the processes that `ray start` starts, and their workers."""

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
            output, _ = started.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        if started.returncode:
            self.kill()
            raise RuntimeError(output)

    def processes(self) -> list[psutil.Process]:
        """Return the processes of the node that are alive."""
        found = []
        for process in psutil.process_iter():
            try:
                if os.getpgid(process.pid) == self._group:
                    found += [process, *process.children(recursive=True)]
            except (ProcessLookupError, psutil.NoSuchProcess):
                continue
        return found

    def trains(self) -> bool:
        """Return whether one of its workers trains, according to the process titles."""
        return any(_title(each.pid).startswith("ray::train") for each in self.processes())

    def kill(self) -> None:
        """Send SIGKILL to all processes of the node."""
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
    """A cluster of a head and more nodes; a context manager that kills all their processes."""

    def __init__(self, cpus: int = 1) -> None:
        """Start the head with its own token and a short path for its sockets."""
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
        """Start one more node with its own address."""
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
