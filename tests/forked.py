"""Run commands in forks of a process that has imported everything.

A command takes three seconds, nearly all of them for importing torch and mlflow, and the tests have
thousands of commands. This file, run as a program, is the process that forks: it reads a JSON line
per command and answers with a JSON line.
"""

import importlib
import json
import os
import pkgutil
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.conftest import ROOT, environment
from tests.warm import warm, warm_command_line

BREAKERS = ("tests.crash_commands", "tests.failing")  # functions that are called before a command
MOST_SECONDS = 120  # of wall time, after which a command is killed
# Events that occur only if a command executes what it reads.
SUSPICIOUS = ("os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "pickle.find_class")

Before = tuple[str, list[Any]]  # the name of a function, as in tests.failing.install, and arguments

# Starts a command with these files as its output; prints its status, seconds and kilobytes.
MEASURING = """
import json, os, subprocess, sys
stdout, stderr, *command = sys.argv[1:]
command = subprocess.Popen(command, stdout=int(stdout), stderr=int(stderr))
_, status, usage = os.wait4(command.pid, 0)
print(json.dumps([status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss]))
"""


@dataclass(frozen=True)
class Done:
    """A finished command: exit code (negative for a signal), output, time and peak memory.

    ``seconds`` are processor time: wall time depends on what else the machine does.
    """

    code: int
    stdout: str
    stderr: str
    seconds: float
    memory: int


class Forks:
    """A process that has imported everything and forks for every command."""

    def __init__(self, server: subprocess.Popen[str], *, watched: bool = False) -> None:
        self._server = server
        self._watched = watched

    def watched(self) -> "Forks":
        """Return forks that report on standard error if a command executes something."""
        return Forks(self._server, watched=True)

    def run(self, arguments: list[str], directory: Path, **changes: str) -> Done:
        """Run ``fitreel`` with these arguments in ``directory``; return the outcome."""
        return self.run_after(None, arguments, directory, **changes)

    def run_after(
        self, before: Before | None, arguments: list[str], directory: Path, **changes: str
    ) -> Done:
        """Run ``fitreel`` in a process that calls a function first."""
        request = {
            "arguments": arguments,
            "directory": str(directory),
            "environment": changes,
            "before": before,
            "watched": self._watched,
        }
        assert self._server.stdin
        assert self._server.stdout
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        return Done(**json.loads(self._server.stdout.readline()))


@contextmanager
def forks(*, is_warm: bool = True) -> Iterator[Forks]:
    """Start the process that forks; one that is not warm has imported the command line alone."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.forked", *["warm"] * is_warm],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        yield Forks(server)
        assert server.stdin
        server.stdin.close()


def run_alone(arguments: list[str], directory: Path, **changes: str) -> Done:
    """Run ``fitreel`` as a user does, in a new process without imports."""
    outputs = [directory.parent / name for name in ("stdout", "stderr")]
    with outputs[0].open("wb") as stdout, outputs[1].open("wb") as stderr:
        files = [str(file.fileno()) for file in (stdout, stderr)]
        measured = subprocess.run(
            # Linux counts the memory of the process that starts another as the peak of the other:
            # that of these tests, with all that they have imported. A small one starts it instead.
            [sys.executable, "-I", "-c", MEASURING, *files, "fitreel", *arguments],
            cwd=directory,
            env=environment(**changes),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            pass_fds=[stdout.fileno(), stderr.fileno()],
            text=True,
            check=True,
        )
    status, seconds, memory = json.loads(measured.stdout)
    return _done(status, outputs, seconds, memory)


def _done(status: int, outputs: list[Path], seconds: float, memory: int) -> Done:
    stdout, stderr = (output.read_text(errors="backslashreplace") for output in outputs)
    for output in outputs:
        output.unlink()
    return Done(os.waitstatus_to_exitcode(status), stdout, stderr, seconds, memory * 1024)


def _serve() -> None:
    if "warm" in sys.argv:
        for name in BREAKERS:
            importlib.import_module(name)
        warm()
    else:
        warm_command_line()
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if not child:
            _become(request)
        outputs = [Path(request["directory"]).parent / name for name in ("stdout", "stderr")]
        ended = os.pidfd_open(child)
        if not select.select([ended], [], [], MOST_SECONDS)[0]:
            os.kill(child, signal.SIGKILL)
        os.close(ended)
        _, status, usage = os.wait4(child, 0)
        done = _done(status, outputs, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
        sys.stdout.write(json.dumps(asdict(done)) + "\n")
        sys.stdout.flush()


def _become(request: dict[str, Any]) -> None:
    """Run a command in this process, from its first line to its exit."""
    import pipeline.app

    directory = Path(request["directory"])
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        path = "/dev/null" if name == "stdin" else str(directory.parent / name)
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC), number)
    os.chdir(directory)
    os.environ.update(request["environment"])
    sys.argv = ["fitreel", *request["arguments"]]
    sys.modules["__main__"].__package__ = None  # or messages would name this module
    if request["watched"]:
        sys.addaudithook(_watch)
    code = 70
    try:
        if request["before"]:
            name, values = request["before"]
            pkgutil.resolve_name(name)(*values)
        pipeline.app.main()
    except SystemExit as exit_:
        code = exit_.code if isinstance(exit_.code, int) else 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _watch(event: str, details: tuple[object, ...]) -> None:
    if event in SUSPICIOUS and details[0] != "git":  # MLflow asks git for a version
        os.write(2, f"executed: {event} {details[:2]}\n".encode())


if __name__ == "__main__":
    _serve()
