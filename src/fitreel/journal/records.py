"""The records of a journal: a line each, with a checksum, and the file that has them."""

import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

Record = dict[str, Any]
FORMAT = 2  # in the first record; that of fitreel 0.6.0 and before has none
# The field of a record that names its file or folder of artifacts, by the kind of record.
FILED = {"artifacts": "folder", "trial_artifacts": "folder", "dataset": "file", "model": "weights"}


class Damaged(ValueError):
    """A journal, or a file that it names, is not as it was written."""


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


def read(directory: Path, start: int = 0) -> Iterator[tuple[int, Record]]:
    """Yield the records of a journal, each with the offset of its end; a torn last line is skipped.

    Raises Damaged where a line is damaged, after those before it.
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
            raise Damaged(f"{path} is damaged at byte {end}")
        end += len(line)
        yield end, record
