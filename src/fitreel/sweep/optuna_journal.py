"""The file of Optuna's journal: its lock, and the repair of a line that was broken off."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from optuna.storages.journal import JournalFileOpenLock

from fitreel.journal.signals import held

BEGINNING = b'{"op_code":'  # of a record
LONGEST_RECORD = 2**20  # bytes; a trial takes about 700
# A record is written in milliseconds. An older lock is ignored: its process died.
GRACE_SECONDS = 10


def lock(path: Path) -> JournalFileOpenLock:
    """Return the lock under which all processes, Optuna's own too, append to the journal."""
    return JournalFileOpenLock(str(path), grace_period=GRACE_SECONDS)


def drop_torn_line(path: Path) -> None:
    """Cut off a last line without an end: the next record would be appended to it.

    Raises ValueError if there is something else than a journal of Optuna.
    """
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is not a file")
    if not path.exists() or not path.stat().st_size:
        return
    with path.open("rb+") as file:
        first = file.readline(LONGEST_RECORD)
        is_alone = len(first) == path.stat().st_size
        if not (_is_record(first) or (is_alone and _is_torn(first))):
            raise ValueError(f"{path} is not a journal of Optuna")
        with _locked(path):
            end = file.seek(0, os.SEEK_END)
            # Only the end is read: the file of a long study is large.
            start = file.seek(max(0, end - LONGEST_RECORD))
            whole = start + file.read().rfind(b"\n") + 1
            if whole < end:
                file.truncate(whole)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    guard = lock(path)
    with held():
        guard.acquire()
        try:
            yield
        finally:
            guard.release()


def _is_torn(line: bytes) -> bool:
    """Return whether a record was broken off: a full disk cut it, or a power cut left zeros."""
    if line.endswith(b"\n"):
        return False
    return line.startswith(BEGINNING) or BEGINNING.startswith(line) or not line.strip(b"\0")


def _is_record(line: bytes) -> bool:
    try:
        return line.endswith(b"\n") and "op_code" in json.loads(line)
    except (ValueError, TypeError):
        return False
