"""A terminal of a test: a command on a real pseudo terminal, and what an emulator shows of it."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pyte

from tests.conftest import environment
from tests.faults import LIMIT


class Terminal:
    """A command whose standard error and input are a terminal; its output goes to a file."""

    def __init__(self, process: "subprocess.Popen[bytes]", end: int, screen: pyte.Screen) -> None:
        self.process, self._end, self.screen = process, end, screen
        self.stream = pyte.ByteStream(screen)
        self.sent = b""
        self._poll = select.poll()
        self._poll.register(end, select.POLLIN)

    def read(self, seconds: float = 0.05) -> bool:
        """Feed the emulator with what comes within this time; return False at the end."""
        if not self._poll.poll(1000 * seconds):
            return True
        try:
            got = os.read(self._end, 1 << 16)
        except OSError:  # Linux says so if nobody has the terminal any more
            return False
        self.sent += got
        self.stream.feed(got)
        return bool(got)

    def read_until(self, is_reached: Callable[[Self], bool]) -> None:
        """Read until something is on the screen; fail if the command ends before."""
        last = time.monotonic() + LIMIT
        while not is_reached(self):
            assert self.read(), "\n".join(self.screen.display)
            assert time.monotonic() < last, "\n".join(self.screen.display)

    def read_to_end(self) -> int:
        """Read until the command ends; return its exit code."""
        while self.read(1):
            pass
        return self.process.wait(LIMIT)

    def resize(self, columns: int, lines: int) -> None:
        """Change the size, as somebody does who pulls at the window."""
        fcntl.ioctl(self._end, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.screen.resize(lines, columns)

    def type(self, keys: bytes) -> None:
        """Type keys; the terminal turns Ctrl-C into a signal."""
        os.write(self._end, keys)

    @property
    def text(self) -> str:
        """What the screen shows."""
        return "\n".join(self.screen.display)


@contextmanager
def new_terminal(
    *command: str, directory: Path, columns: int = 80, lines: int = 24, **changes: str
) -> Iterator[Terminal]:
    """Start a command on a new terminal of a size."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    variables = environment(TERM="xterm-256color", COLORTERM="truecolor")
    for name in ("COLUMNS", "LINES", "NO_COLOR"):
        variables.pop(name, None)
    variables |= changes
    with (directory / "out").open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=variables,
            stdin=theirs,
            stdout=output,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
    os.close(theirs)
    try:
        yield Terminal(process, ours, pyte.Screen(columns, lines))
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()
        os.close(ours)


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that Ctrl-C reaches the command
