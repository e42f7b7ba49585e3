"""A terminal of a test: a command on a real pseudo terminal, and what an emulator shows of it."""

import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Self

import pyte

from tests import processes
from tests.faults import LIMIT

# What the machine of the tests may have set, and what `tests.conftest.environment` sets.
VARIABLES = {"TERM": "xterm-256color", "COLORTERM": "truecolor"} | dict.fromkeys(
    ("COLUMNS", "LINES", "NO_COLOR"), ""
)


class Terminal:
    """A command whose standard error is a terminal; its standard output is the file ``out``."""

    def __init__(self, process: ForkServerProcess, end: int, screen: pyte.Screen) -> None:
        self.process, self._end, self.screen = process, end, screen
        self._stream = pyte.ByteStream(screen)
        self._poll = select.poll()
        self._poll.register(end, select.POLLIN)
        self.sent = b""

    def read(self, seconds: float = 0.05) -> None:
        """Feed the emulator with what comes within this time."""
        if self._poll.poll(1000 * seconds):
            got = os.read(self._end, 1 << 16)
            self.sent += got
            self._stream.feed(got)

    def read_until(self, is_reached: Callable[[Self], bool]) -> None:
        """Read until something is on the screen; fail if the command ends before."""
        last = time.monotonic() + LIMIT
        while not is_reached(self):
            assert self.process.is_alive(), self.text
            assert time.monotonic() < last, self.text
            self.read()

    def read_to_end(self) -> int:
        """Read until the command ends; return its exit code."""
        last = time.monotonic() + LIMIT
        while self.process.is_alive() or self._poll.poll(0):
            assert time.monotonic() < last, self.text
            self.read()
        assert self.process.exitcode is not None
        return self.process.exitcode

    def resize(self, columns: int, lines: int) -> None:
        """Change the size, as somebody does who pulls at the window."""
        _set_size(self._end, columns, lines)
        self.screen.resize(lines, columns)

    def type(self, keys: bytes) -> None:
        """Type keys; the terminal turns Ctrl-C into a signal."""
        os.write(self._end, keys)

    @property
    def text(self) -> str:
        """What the screen shows."""
        return "\n".join(self.screen.display)


@contextmanager
def on_terminal(
    *arguments: str,
    directory: Path,
    columns: int = 80,
    lines: int = 24,
    encoding: str = "utf-8",
    **changes: str,
) -> Iterator[Terminal]:
    """Start `fitreel` on a new terminal of a size."""
    ours, theirs = pty.openpty()
    _set_size(ours, columns, lines)
    output = directory / "terminal"
    output.mkdir(exist_ok=True)
    errors = output / "err"
    errors.unlink(missing_ok=True)
    errors.symlink_to(os.ttyname(theirs))
    process = processes.start_after(
        partial(_open_errors, encoding),
        *arguments,
        directory=directory,
        output_to=output,
        **VARIABLES | changes,
    )
    try:
        # The other end stays open: the last lines of a command that is over can still be read.
        yield Terminal(process, ours, pyte.Screen(columns, lines))
    finally:
        process.kill()
        process.join()
        os.close(ours)
        os.close(theirs)


def _open_errors(encoding: str) -> None:
    # Only who opens a terminal to read, too, is reached by its Ctrl-C.
    os.close(os.open(os.ttyname(2), os.O_RDWR))
    # What the process has from the one that forked it takes standard error for a file.
    ours = open(2, "w", encoding=encoding, closefd=False)  # noqa: SIM115
    sys.stderr = ours
    sys.__stderr__ = ours  # type: ignore[misc]  # the name by which Python keeps it open


def _set_size(end: int, columns: int, lines: int) -> None:
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
