"""A call that fails: the calls of a process on files, locks and a database, one of which fails.

The calls are those that Python code makes: os.open and its like, open() and what is written through
it, flock, and SQLAlchemy's statements. Not seen are calls within C or Rust: the bytes of pictures
and of safetensors files, and SQLite's own files, for which its statements fail instead.
"""

import builtins
import errno
import fcntl
import io
import os
import re
import signal
import sqlite3
import threading
import traceback
from collections import Counter
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy.engine.default import DefaultDialect

ON_PATHS = {
    "open": "open",
    "mkdir": "mkdir",
    "rmdir": "rmdir",
    "unlink": "unlink",
    "remove": "unlink",
    "rename": "rename",
    "replace": "rename",
    "link": "link",
    "symlink": "link",
}
ON_FILES = {"write": "write", "fsync": "fsync", "ftruncate": "write", "sendfile": "write"}
FILE_ERRORS = ("ENOSPC", "EIO", "EACCES", "EMFILE")
PART = "ENOSPC after a part"  # of what was to be written
SQL_ERRORS = ("database is locked", "disk I/O error")
AFTER = "disk I/O error after it was done"  # of the end of a transaction
DEATH = "death"  # the process dies instead
# What differs from one command to the next: the names of journals, folders and files, and ids.
NAMES = {
    r"\d{8}T\d{6}-[0-9a-f]{8}": "JOURNAL",
    r"\btmp[a-z0-9_]{8}\b": "FOLDER",
    r"[0-9a-f]{32}": "ID",
    r"-[0-9a-f]{8}$": "-DRAFT",
}


class Calls:
    """The calls of this process below a directory, written to a trace; one of them may fail."""

    def __init__(self, root: str, trace: str, call: str, number: int, error: str) -> None:
        self._root = root
        self._trace = os.open(trace, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        self._write = os.write
        self._wanted, self._error = (call, number), error
        self._seen = Counter[str]()
        self._lock = threading.RLock()

    def meet(self, kind: str, what: str) -> str | None:
        """Count a call; return the error with which it has to fail, or None."""
        for pattern, name in NAMES.items():
            what = re.sub(pattern, name, what)
        call = f"{kind} {what}"
        with self._lock:
            self._seen[call] += 1
            self._write(self._trace, f"{call}\n".encode())
            if (call, self._seen[call]) != self._wanted:
                return None
            frames = [frame for frame in traceback.extract_stack() if "/tests/" not in frame[0]]
            way = " < ".join(f"{Path(each[0]).stem}:{each[1]}" for each in reversed(frames[-12:]))
            self._write(self._trace, f"FAILED {self._error}: {way}\n".encode())
        if self._error == DEATH:
            os.kill(os.getpid(), signal.SIGKILL)
        return self._error

    def meet_path(
        self, kind: str, path: Any, write_part: Callable[[], object] = lambda: None
    ) -> None:
        """Count a call on a path, if it is below the directory; raise OSError if it has to fail."""
        place = Path.cwd() / os.fsdecode(path)
        if place.is_relative_to(self._root) and (
            error := self.meet(kind, str(place.relative_to(self._root)))
        ):
            if error == PART:
                write_part()
            number = getattr(errno, error.partition(" ")[0])
            # An error of an open file has no name.
            names = [] if kind in ("write", "fsync", "lock") else [str(path)]
            raise OSError(number, os.strerror(number), *names)


def path_of(file: int) -> str:
    """Return the path of an open file."""
    return str(Path(f"/proc/self/fd/{file}").readlink()).removesuffix(" (deleted)")


def install(root: str, trace: str, call: str = "", number: int = 0, error: str = "") -> None:
    """Write the calls of this process to a file; let one of them fail, the first is number 1."""
    calls = Calls(root, trace, call, number, error)
    for name, kind in ON_PATHS.items():
        setattr(os, name, _on_path(getattr(os, name), kind, calls))
    for name, kind in ON_FILES.items():
        setattr(os, name, _on_file(getattr(os, name), kind, calls))
    fcntl.flock = _on_file(fcntl.flock, "lock", calls)
    io.open = builtins.open = _opening(builtins.open, calls)
    for event in ("do_execute", "do_executemany", "do_execute_no_params"):
        sqlalchemy.event.listen(sqlalchemy.Engine, event, _on_statement(calls))
    DefaultDialect.do_commit = _on_commit(DefaultDialect.do_commit, calls)  # type: ignore[method-assign]


def _on_path(call: Callable[..., Any], kind: str, calls: Calls) -> Callable[..., Any]:
    @wraps(call)
    def met(path: Any, *rest: Any, **options: Any) -> Any:
        last = rest[0] if kind in ("rename", "link") else path
        folder = options.get("dir_fd")
        calls.meet_path(kind, last if folder is None else Path(path_of(folder), last))
        return call(path, *rest, **options)

    return met


def _on_file(call: Callable[..., Any], kind: str, calls: Calls) -> Callable[..., Any]:
    @wraps(call)
    def met(file: Any, *rest: Any) -> Any:
        if isinstance(file, int):
            is_write = call.__name__ == "write"
            part = partial(call, file, rest[0][: len(rest[0]) // 2]) if is_write else lambda: None
            calls.meet_path(kind, path_of(file), part)
        return call(file, *rest)

    return met


def _opening(call: Callable[..., Any], calls: Calls) -> Callable[..., Any]:
    class Written(io.FileIO):
        def write(self, data: Any, /) -> int:
            part = partial(super().write, data[: len(data) // 2])
            calls.meet_path("write", path_of(self.fileno()), part)
            return super().write(data)

    @wraps(call)
    def opened(
        file: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        closefd: bool = True,
        opener: Any = None,
    ) -> Any:
        if isinstance(file, int):
            return call(file, mode, buffering, encoding, errors, newline, closefd, opener)
        if opener is None:  # else it opens with os.open
            calls.meet_path("open", file)
        if not set(mode) & set("wax+"):
            return call(file, mode, buffering, encoding, errors, newline, closefd, opener)
        raw = Written(file, mode.replace("b", "").replace("t", ""), opener=opener)
        if buffering == 0:
            return raw
        buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        if "b" in mode:
            return buffered
        return io.TextIOWrapper(buffered, encoding, errors, newline)

    return opened


def _on_statement(calls: Calls) -> Callable[..., None]:
    def met(_cursor: Any, statement: str, *_: Any) -> None:
        words = " ".join(statement.split())
        table = re.search(r"(?:FROM|INTO|UPDATE|TABLE) (\w+)", words)
        if error := calls.meet("sql", f"{words.split()[0]} {table[1] if table else words[:40]}"):
            raise sqlite3.OperationalError(error)

    return met


def _on_commit(call: Callable[..., None], calls: Calls) -> Callable[..., None]:
    def met(dialect: Any, connection: Any) -> None:
        error = calls.meet("sql", "COMMIT")
        if error in (None, AFTER):
            call(dialect, connection)
        if error:
            raise sqlite3.OperationalError(error.removesuffix(" after it was done"))

    return met


def deliver_nothing() -> None:
    """Make every delivery of this process fail."""
    from fitreel.tracking.delivery.delivery import Delivery

    def fail(self: Delivery) -> bool:  # noqa: ARG001
        raise ConnectionError("the store is away")

    Delivery.step = fail  # type: ignore[method-assign]
