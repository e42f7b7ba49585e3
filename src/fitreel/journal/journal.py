"""The journal of a command: records on the local disk, before MLflow has them.

Each command has one directory. `journal` gets a line for each record, `checkpoint` is replaced as
a whole, `artifacts` has the files. An open journal is locked; the lock ends with the process.
"""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from fitreel.checks.durability import sync_file, sync_folder, sync_tree, writing
from fitreel.checks.files import sums
from fitreel.journal.directory import FILES, FOLDER, is_inside, is_own
from fitreel.journal.lock import Lock
from fitreel.journal.records import FILED, Damaged, Record, decode, encode, read

RESERVE = 1 << 17  # bytes set aside for the last record on a full disk


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
        self._is_synced = True  # whether all that it got is on the disk
        self._is_entered = False  # whether its folders are known to be on the disk
        self._is_lost = False  # whether the disk failed to take what was written
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
        self._is_synced = False
        try:
            written = os.write(self._file, line)
            while written < len(line):  # a disk that is nearly full takes a part of it
                written += os.write(self._file, line[written:])
        except OSError:
            # A part of a line must not stay: the next record would be appended to it.
            os.ftruncate(self._file, self._end)
            raise
        self._end += len(line)

    def append_files(self, kind: str, path: Path, /, **fields: Any) -> None:
        """Append a record that names a file or a folder of artifacts, with the sums of its files.

        They are on the disk before the record is: a record is never about less than it says.
        """
        sync_tree(path)
        sync_folder(path.parent)
        place = self.directory / "artifacts"
        sync_folder(place)
        fields[FILED[kind]] = path.relative_to(place).as_posix()
        self.append(kind, **fields, sums=sums(path))

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
        """Write what was appended to the disk, so that it survives a power cut.

        Raises OSError if the disk fails, from then on always: a system that reports a failed write
        once forgets it, and the next call would seem to work.
        """
        path = self.directory / "journal"
        with writing(path):
            if self._is_lost:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            try:
                os.fsync(self._file)
                if not self._is_entered:
                    sync_folder(self.directory)
                    sync_folder(self.directory.parent)
            except OSError:
                self._is_lost = True
                raise
        self._is_entered = self._is_synced = True

    def records(self, start: int = 0) -> Iterator[tuple[int, Record]]:
        """Yield the whole records from an offset on, each with the offset of its end."""
        return read(self.directory, start)

    def keep(self, name: str, record: Record, *, durable: bool = False) -> None:
        """Replace a file by a record, wholly or not at all.

        A power cut may lose the old and the new one, unless it is ``durable``: then the old one
        stays until the new one, and all that was appended before, is on the disk.
        """
        new = self.directory / f"{name}.new"
        if durable:
            self.flush()
        with writing(new):
            # Under another name first: a death leaves the old one, and who reads it now reads it
            # whole.
            new.write_bytes(encode(record))
            if durable:
                sync_file(new)
            new.replace(self.directory / name)
            if durable:
                sync_folder(self.directory)

    def kept(self, name: str) -> Record | None:
        """Return such a record; None if it is missing or damaged."""
        path = self.directory / name
        return decode(path.read_bytes()) if path.is_file() else None

    def mend(self) -> str | None:
        """Cut off what follows the first record that is damaged, or whose artifacts are.

        A command that is resumed computes it again. Returns what was damaged, None if nothing was.
        """
        self._end, damage = 0, None
        try:
            for behind, record in self.records():
                if key := FILED.get(record["kind"]):
                    self.file(record, key)
                self._end = behind
        except Damaged as error:
            damage = str(error)
        os.ftruncate(self._file, self._end)
        self.rewind(is_cut=damage is not None)
        return damage

    def rewind(self, *, is_cut: bool = False) -> None:
        """Set the position of the delivery back to the end, if the journal lost what is before it.

        From then on the store is asked what it has: it has points that the journal lacks. If the
        position itself is lost, too, the delivery starts again and asks for all.
        """
        kept, size = self.kept("delivered"), os.fstat(self._file).st_size
        is_there = (self.directory / "delivered").exists()
        if not (is_cut or (kept["position"] > size if kept else is_there)):
            return
        position, trials = (kept["position"], kept.get("trials", 0)) if kept else (0, 0)
        if position > size:
            position = trials = 0
            with suppress(Damaged):  # reported when the delivery comes to it
                for behind, record in self.records():
                    position, trials = behind, trials + (record["kind"] == "trial")
        # A power cut may also have brought an older position back, and must not lose the doubt.
        state = {"position": position, "trials": trials, "doubt": True}
        self.keep("delivered", state, durable=True)

    def folder(self) -> Path:
        """Create a new directory for artifacts."""
        place = self.directory / "artifacts"
        if not place.exists():
            place.mkdir(exist_ok=True)
            sync_folder(self.directory)  # once: the records of its files come after this
        return Path(tempfile.mkdtemp(dir=place))

    def file(self, record: Record, key: str) -> Path:
        """Return the file or folder of artifacts that a record names.

        Raises Damaged if it is missing, not a plain file, or not as it was written, or if one of
        the record's paths leads out of the artifacts, of the run or of the journal.
        """
        path = self.directory / "artifacts" / str(record.get(key))
        names = [record.get(key), *(record[each] for each in ("to", "path") if record.get(each))]
        if not all(map(is_inside, names)) or not is_own(path, self.directory / "artifacts"):
            raise Damaged(
                f"{self.directory / 'journal'} is damaged: {key} in a record of {record['kind']} "
                "is not a file of its own"
            )
        written = record.get("sums")  # fitreel 0.6.0 and before wrote none
        if written is not None and written != sums(path):
            raise Damaged(f"{path} is damaged: it is not what the run wrote")
        return path

    def close(self) -> None:
        """Close it; it stays on the disk, also after a power cut unless the disk fails."""
        if not self._is_synced:
            with suppress(OSError):
                self.flush()
        self._close()

    def _close(self) -> None:
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
            files[0].unlink(missing_ok=True)
            # Now, or a power cut could bring it back without its artifacts.
            with suppress(OSError):
                sync_folder(self.directory)
            for file in files[1:]:
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
            self._close()
