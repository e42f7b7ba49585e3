"""The unpacking of a file: gzip is unpacked as it is read, and errors become one line."""

import gzip
import io
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from fitreel.checks.text import shown
from fitreel.data.table.limits import BLOCK, check_bytes


def is_packed(path: Path) -> bool:
    """Return whether gzip has packed a file, whatever its name is."""
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


@contextmanager
def unpacked(path: Path, seekable: bool = False) -> Iterator[BinaryIO]:
    """Open a file; what gzip has packed is unpacked as it is read, or at once if it must seek."""
    with path.open("rb") as file:
        if not is_packed(path):
            check_bytes(path.name, path.stat().st_size)
            yield file
            return
        limited = io.BufferedReader(_Limited(gzip.GzipFile(fileobj=file), path.name))
        if not seekable:
            yield cast(BinaryIO, limited)
            return
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(limited, copy)
            copy.seek(0)
            yield cast(BinaryIO, copy)


class _Limited(io.RawIOBase):
    """A file that ends with an error: a few bytes of gzip may become terabytes."""

    def __init__(self, file: gzip.GzipFile, name: str) -> None:
        self._file = file
        self._name = name
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._file.readinto(buffer)
        self._count += count
        check_bytes(self._name, self._count)
        return count


@contextmanager
def plain_errors(name: str) -> Iterator[None]:
    """Raise ValueError, in one line with the name of the file, where it cannot be read."""
    import pyarrow

    try:
        yield
    except (pyarrow.ArrowException, OSError, EOFError, zlib.error) as error:
        line = shown(str(error).partition("\n")[0], 200)
        if "UTF8" in line:
            line = "it is not UTF-8; save it as UTF-8"
        elif "straddl" in line:
            line = f"a line has {BLOCK:,} bytes or more, or a quote is not closed"
        raise ValueError(f"{name} cannot be read: {line}") from None
