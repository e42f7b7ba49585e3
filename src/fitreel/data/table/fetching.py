"""The fetching of a table: from a path, from standard input, or from an address elsewhere."""

import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, cast
from urllib.parse import unquote, urlsplit

from fitreel.data.table.file import open_table
from fitreel.data.table.limits import check_bytes

STANDARD_INPUT = "-"  # the address of a table that can be read only once
PIECE = 2**20
SCHEME = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)  # one letter is a drive
Download = Callable[[str, Path], Path]


class Source(Protocol):
    """A stream of bytes, as standard input and the answers of servers are."""

    def read1(self, size: int, /) -> bytes:
        """Return what is there, at most ``size`` bytes; nothing at the end."""


def absolute_address(address: str) -> str:
    """Return an address that means the same in other directories."""
    if address == STANDARD_INPUT or SCHEME.match(address):
        return address
    return str(Path(address).expanduser().absolute())


def local_file(address: str, folder: Path, download: Download) -> Path:
    """Return the file of a table: a path as it is, - for standard input, or a copy of a URI.

    Copies are below ``folder``; ``download`` writes the file of a URI into the folder that it gets,
    and returns its path. Raises ValueError or OSError, in one line, if the file cannot be had.
    """
    if address.lower().startswith("file:"):
        return Path(unquote(urlsplit(address).path))
    if address != STANDARD_INPUT and not SCHEME.match(address):
        return Path(address).expanduser()
    own = Path(tempfile.mkdtemp(dir=folder))  # two addresses may end with the same name
    is_standard = address == STANDARD_INPUT
    return _named(_standard_input(own) if is_standard else download(address, own))


def copy_limited(
    source: Source, target: Path, check: Callable[[int, float], None] | None = None
) -> None:
    """Write what a stream yields into a file; ValueError if it is too large.

    ``check`` may raise an error of its own: it gets the bytes so far and the seconds they took.
    """
    count, start = 0, time.monotonic()
    with target.open("wb") as file:
        # read1 returns what is there; read would wait for a slow server, without a check.
        while piece := source.read1(PIECE):
            count += len(piece)
            check_bytes(target.name, count)
            if check:
                check(count, time.monotonic() - start)
            file.write(piece)


def _standard_input(folder: Path) -> Path:
    target = folder / "standard-input"
    copy_limited(cast(Source, sys.stdin.buffer), target)
    if not target.stat().st_size:
        raise ValueError("standard input is empty")
    return target


def _named(path: Path) -> Path:
    """Rename a copy so that its name says what it is."""
    suffix = open_table(path).suffix
    if path.name.endswith(suffix):
        return path
    return path.rename(path.with_name(path.name.partition(".")[0] + suffix))
