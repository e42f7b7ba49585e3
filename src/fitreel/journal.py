"""The journal: what a run computed, on the local disk before anything else hears of it.

One directory a command. `journal` grows by a line a record, `checkpoint` is replaced as a whole,
`artifacts` holds files. Whoever has it open holds its lock; a dead process holds none.
"""

import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

Record = dict[str, Any]
RESERVE = 1 << 17  # bytes set aside for the end on a full disk


def encode(record: Record) -> bytes:
    """Write a record as a line: a checksum and JSON."""
    text = json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def decode(line: bytes) -> Record | None:
    """Read a line back; None if it was changed or cut."""
    checksum, _, text = line.removesuffix(b"\n").partition(b" ")
    if checksum != b"%08x" % zlib.crc32(text):
        return None
    record: Record = json.loads(text)
    return record


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Name the file in an error of the disk: what comes from a write lacks it."""
    try:
        yield
    except OSError as error:
        if error.filename or not error.errno:
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error


class Journal:
    """An open journal: append to it, read it, remove it."""

    def __init__(self, directory: Path) -> None:
        """Open and lock one that exists; BlockingIOError while a living process has it."""
        self.directory = directory
        self._lock = FileLock(directory / "lock")
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            raise BlockingIOError(f"{directory} is in use by a process that lives") from None
        self._file = os.open(directory / "journal", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._end = -1  # not known yet
        self._reserve = directory / "reserve"
        if not self._reserve.exists():
            with suppress(OSError):
                self._reserve.write_bytes(bytes(RESERVE))

    def append(self, kind: str, **fields: Any) -> None:
        """Add a record; ValueError if one that is there is damaged."""
        with writing(self.directory / "journal"):
            self._append(encode({"kind": kind} | fields))

    def _append(self, line: bytes) -> None:
        if os.fstat(self._file).st_size != self._end:  # opened just now, or broken off in a write
            self._end = max((end for end, _ in self.records()), default=0)
            os.ftruncate(self._file, self._end)
        try:
            written = os.write(self._file, line)
            while written < len(line):
                written += os.write(self._file, line[written:])
        except OSError:
            os.ftruncate(self._file, self._end)
            raise
        self._end += len(line)

    @property
    def is_cramped(self) -> bool:
        """Tell whether its disk is full but for what was set aside."""
        return shutil.disk_usage(self.directory).free < RESERVE

    def make_room(self) -> None:
        """Free what was set aside for the last words, the run's status, on a full disk."""
        with suppress(OSError):
            self._reserve.unlink(missing_ok=True)

    def flush(self) -> None:
        """Have the disk keep what was appended, even if the power goes."""
        os.fsync(self._file)

    def records(self, start: int = 0) -> Iterator[tuple[int, Record]]:
        """Read the whole records from an offset on, each with the offset behind it."""
        return read(self.directory, start)

    def keep(self, name: str, record: Record) -> None:
        """Write a record of its own, whole or not at all, in place of the last one."""
        new = self.directory / f"{name}.new"
        with writing(new):
            new.write_bytes(encode(record))
            new.replace(self.directory / name)

    def kept(self, name: str) -> Record | None:
        """Read such a record; None if there is none or it is damaged."""
        path = self.directory / name
        return decode(path.read_bytes()) if path.exists() else None

    def folder(self) -> Path:
        """Make a new directory for artifacts."""
        (self.directory / "artifacts").mkdir(exist_ok=True)
        return Path(tempfile.mkdtemp(dir=self.directory / "artifacts"))

    def close(self) -> None:
        """Let go of it; it stays on the disk."""
        os.close(self._file)
        self._lock.release()

    def remove(self) -> None:
        """Close it and delete it: all of it is known to be elsewhere."""
        # The journal goes first: a directory without one is nobody's.
        (self.directory / "journal").unlink()
        self.close()
        shutil.rmtree(self.directory, ignore_errors=True)


def read(directory: Path, start: int = 0) -> Iterator[tuple[int, Record]]:
    """Read the records of a journal, with the offset behind each; a torn last line is left out.

    Raises ValueError where a line is damaged, after those before it.
    """
    with (directory / "journal").open("rb") as file:
        file.seek(start)
        end = start
        for line in file:
            if not line.endswith(b"\n"):
                return
            record = decode(line)
            if record is None:
                raise ValueError(f"{directory / 'journal'} is damaged at byte {end}")
            end += len(line)
            yield end, record
