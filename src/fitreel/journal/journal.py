"""The journal: what a run computed, on the local disk before anything else hears of it.

One directory a command. `journal` grows by a line a record, `checkpoint` is replaced as a whole,
`artifacts` holds files. Whoever has it open holds its lock; a dead process holds none.
"""

import json
import os
import re
import shutil
import stat
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

from fitreel.journal.lock import Lock

Record = dict[str, Any]
RESERVE = 1 << 17  # bytes set aside for the end on a full disk
# All that a journal's directory holds, the journal first and the lock last: the order in which
# they are deleted.
FILES = (
    *("journal", "checkpoint", "checkpoint.new", "delivered", "delivered.new", "reserve"),
    "lock",
)
FOLDER = re.compile(r"tmp[a-z0-9_]{8}")  # as tempfile.mkdtemp names those in artifacts


def encode(record: Record) -> bytes:
    """Write a record as a line: a checksum and JSON."""
    text = json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def decode(line: bytes) -> Record | None:
    """Read a line back; None if it was changed or cut."""
    checksum, _, text = line.removesuffix(b"\n").partition(b" ")
    if checksum != b"%08x" % zlib.crc32(text):
        return None
    record = json.loads(text)
    return record if isinstance(record, dict) else None


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

    def __init__(self, directory: Path, *, create: bool = False) -> None:
        """Open and lock one that exists, or with ``create`` begin one in a directory.

        Raises FileNotFoundError where there is none, BlockingIOError while a living process has it.
        """
        self.directory = directory
        try:
            self._lock = Lock(directory, create=create)
        except FileNotFoundError:
            # Who removes a journal deletes it before its lock.
            if not (directory / "journal").exists():
                raise
            self._lock = Lock(directory, create=True)
        flags = os.O_RDWR | os.O_APPEND | (os.O_CREAT if create else 0)
        try:
            self._file = os.open(directory / "journal", flags, 0o600)
        except BaseException:
            self._lock.release()
            raise
        self._end = -1  # not known yet
        self._reserve = directory / "reserve"

    def append(self, kind: str, **fields: Any) -> None:
        """Add a record; ValueError if one that is there is damaged."""
        if self._end < 0:
            self._set_room_aside()
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

    def _set_room_aside(self) -> None:
        if not self._reserve.exists():
            with suppress(OSError):
                self._reserve.write_bytes(bytes(RESERVE))

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

    def file(self, record: Record, key: str) -> Path:
        """Give the file or folder of artifacts that a record names.

        Raises ValueError if it is not there or no plain file, or if one of the record's paths
        leads out of the artifacts, the run's or these.
        """
        root = self.directory / "artifacts"
        path = root / str(record.get(key))
        names = [record.get(key), *(record[each] for each in ("to", "path") if record.get(each))]
        above = [each for each in path.parents if each.is_relative_to(root)]
        if not (
            all(map(_is_plain, names))
            and all(map(_is_real, (path, *above)))
            and all(map(_is_real, path.rglob("*")))
        ):
            raise ValueError(
                f"{self.directory / 'journal'} is damaged: {key} in a record of {record['kind']} "
                "is no file of its own"
            )
        return path

    def close(self) -> None:
        """Let go of it; it stays on the disk."""
        os.close(self._file)
        self._lock.release()

    def remove(self) -> None:
        """Close it and delete it: all of it is known to be elsewhere.

        What does not belong to a journal stays, and the directory with it.
        """
        artifacts = self.directory / "artifacts"
        folders = [] if artifacts.is_symlink() else list(artifacts.glob("*"))
        *files, lock = (self.directory / name for name in FILES)
        try:
            for file in files:
                file.unlink(missing_ok=True)
            for folder in folders:
                if FOLDER.fullmatch(folder.name):
                    shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):  # there is none, or something else is in it
                artifacts.rmdir()
            lock.unlink(missing_ok=True)
            with suppress(OSError):
                self.directory.rmdir()
        finally:
            self.close()


def is_only_ours(directory: Path) -> bool:
    """Tell whether a directory holds nothing but what a journal keeps there."""
    for path in directory.iterdir():
        if path.name == "artifacts" and _is_real(path) and path.is_dir():
            if not all(FOLDER.fullmatch(each.name) for each in path.iterdir()):
                return False
        elif path.name not in FILES or not stat.S_ISREG(path.lstat().st_mode):
            return False
    return True


def _is_plain(name: object) -> bool:
    """Tell whether a name is a relative path that does not go up."""
    if not isinstance(name, str) or {"\\", "\0"} & set(name):
        return False
    path = PurePosixPath(name)
    return path.parts != () and not path.is_absolute() and ".." not in path.parts


def _is_real(path: Path) -> bool:
    """Tell whether it is a file or a directory itself, no link, pipe or device."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


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
            if record is None or "kind" not in record:
                raise ValueError(f"{directory / 'journal'} is damaged at byte {end}")
            end += len(line)
            yield end, record
