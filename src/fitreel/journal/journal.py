"""The journal of a command: records on the local disk, before MLflow has them.

Each command has one directory. `journal` gets a line for each record, `checkpoint` is replaced as
a whole, `artifacts` has the files. An open journal is locked; the lock ends with the process.
"""

import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from fitreel.journal.directory import FILES, FOLDER, is_inside, is_own
from fitreel.journal.lock import Lock

Record = dict[str, Any]
RESERVE = 1 << 17  # bytes set aside for the last record on a full disk


def encode(record: Record) -> bytes:
    """Return a record as a line: a checksum and JSON."""
    text = json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode()
    # The checksum finds changed bytes that are valid JSON still, as another digit of a loss.
    return b"%08x %s\n" % (zlib.crc32(text), text)


def decode(line: bytes) -> Record | None:
    """Return the record of a line; None if it was changed or cut."""
    checksum, _, text = line.removesuffix(b"\n").partition(b" ")
    if checksum != b"%08x" % zlib.crc32(text):
        return None
    record = json.loads(text)
    return record if isinstance(record, dict) else None


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Add the path to an error of the disk: an error of a write lacks it."""
    try:
        yield
    except OSError as error:
        if error.filename or not error.errno:
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error


class Journal:
    """An open journal: append to it, read it, remove it."""

    def __init__(self, directory: Path, *, create: bool = False) -> None:
        """Open and lock a journal that exists, or with ``create`` start one in a directory.

        Raises FileNotFoundError if it is missing, BlockingIOError while a living process has it.
        """
        self.directory = directory
        try:
            self._lock = Lock(directory, create=create)
        except FileNotFoundError:
            # The lock is deleted last: without it, an existing journal is not being removed.
            if not (directory / "journal").exists():
                raise
            self._lock = Lock(directory, create=True)
        flags = os.O_RDWR | os.O_APPEND | (os.O_CREAT if create else 0)
        try:
            # 0o600: the URI of the store, which is in the first record, may contain a password.
            self._file = os.open(directory / "journal", flags, 0o600)
        except BaseException:
            self._lock.release()
            raise
        self._end = -1  # not known yet
        self._reserve = directory / "reserve"

    def append(self, kind: str, **fields: Any) -> None:
        """Append a record; ValueError if an earlier one is damaged."""
        if self._end < 0:
            # With the first record, not when it is opened: scratch directories never get one.
            self._set_room_aside()
        with writing(self.directory / "journal"):
            self._append(encode({"kind": kind} | fields))

    def _append(self, line: bytes) -> None:
        if os.fstat(self._file).st_size != self._end:  # just opened, or a write was broken off
            self._end = max((end for end, _ in self.records()), default=0)
            os.ftruncate(self._file, self._end)
        try:
            written = os.write(self._file, line)
            while written < len(line):  # a disk that is nearly full takes a part of it
                written += os.write(self._file, line[written:])
        except OSError:
            # A part of a line must not stay: the next record would be appended to it.
            os.ftruncate(self._file, self._end)
            raise
        self._end += len(line)

    def _set_room_aside(self) -> None:
        if not self._reserve.exists():
            with suppress(OSError):
                # Zeros that are written: a file that was only extended takes no room on the disk.
                self._reserve.write_bytes(bytes(RESERVE))

    @property
    def is_cramped(self) -> bool:
        """Whether its disk is full but for what was set aside."""
        return shutil.disk_usage(self.directory).free < RESERVE

    def make_room(self) -> None:
        """Free what was set aside on a full disk for the last record, the status of the run."""
        with suppress(OSError):
            self._reserve.unlink(missing_ok=True)

    def flush(self) -> None:
        """Write what was appended to the disk, so that it survives a power failure."""
        os.fsync(self._file)

    def records(self, start: int = 0) -> Iterator[tuple[int, Record]]:
        """Yield the whole records from an offset on, each with the offset of its end."""
        return read(self.directory, start)

    def keep(self, name: str, record: Record) -> None:
        """Replace a file by a record, wholly or not at all."""
        new = self.directory / f"{name}.new"
        with writing(new):
            # Under another name first: a death leaves the old one, and who reads it now reads it
            # whole.
            new.write_bytes(encode(record))
            new.replace(self.directory / name)

    def kept(self, name: str) -> Record | None:
        """Return such a record; None if it is missing or damaged."""
        path = self.directory / name
        return decode(path.read_bytes()) if path.exists() else None

    def folder(self) -> Path:
        """Create a new directory for artifacts."""
        (self.directory / "artifacts").mkdir(exist_ok=True)
        return Path(tempfile.mkdtemp(dir=self.directory / "artifacts"))

    def file(self, record: Record, key: str) -> Path:
        """Return the file or folder of artifacts that a record names.

        Raises ValueError if it is missing or not a plain file, or if one of the record's paths
        leads out of the artifacts, of the run or of the journal.
        """
        path = self.directory / "artifacts" / str(record.get(key))
        names = [record.get(key), *(record[each] for each in ("to", "path") if record.get(each))]
        if not all(map(is_inside, names)) or not is_own(path, self.directory / "artifacts"):
            raise ValueError(
                f"{self.directory / 'journal'} is damaged: {key} in a record of {record['kind']} "
                "is not a file of its own"
            )
        return path

    def close(self) -> None:
        """Close it; it stays on the disk."""
        os.close(self._file)
        self._lock.release()

    def remove(self) -> None:
        """Close it and delete it: the store has all of it.

        Files that do not belong to a journal stay, and so does their directory.
        """
        artifacts = self.directory / "artifacts"
        # A link would lead the deletion into a directory of somebody else.
        folders = [] if artifacts.is_symlink() else list(artifacts.glob("*"))
        *files, lock = (self.directory / name for name in FILES)
        try:
            for file in files:
                file.unlink(missing_ok=True)
            for folder in folders:
                if FOLDER.fullmatch(folder.name):
                    shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):  # missing, or something else is in it
                artifacts.rmdir()
            lock.unlink(missing_ok=True)
            with suppress(OSError):
                self.directory.rmdir()
        finally:
            self.close()


def read(directory: Path, start: int = 0) -> Iterator[tuple[int, Record]]:
    """Yield the records of a journal, each with the offset of its end; a torn last line is skipped.

    Raises ValueError where a line is damaged, after those before it.
    """
    path = directory / "journal"
    with path.open("rb") as file:
        yield from records_in(file, path, start)


def records_in(file: BinaryIO, path: Path, start: int) -> Iterator[tuple[int, Record]]:
    """Yield the records of an open journal, as ``read`` does."""
    file.seek(start)
    end = start
    for line in file:
        if not line.endswith(b"\n"):  # its process died in the write, or is still in it
            return
        record = decode(line)
        if record is None or "kind" not in record:
            raise ValueError(f"{path} is damaged at byte {end}")
        end += len(line)
        yield end, record
