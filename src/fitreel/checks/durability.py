"""Durability: files and folders reach the disk itself, so that they survive a power cut.

A file that was only written, and a name that was only given, are in memory for some thirty seconds.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Add the path to an error of the disk: an error of a write lacks it."""
    try:
        yield
    except OSError as error:
        if error.filename or not error.errno:
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error


def sync_file(path: Path) -> None:
    """Write the content of a file to the disk; its name is that of its folder to keep."""
    # Windows syncs only what may be written.
    _sync(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)


def sync_folder(path: Path) -> None:
    """Write the names in a folder to the disk: of files created, renamed and removed in it."""
    if os.name == "nt":  # has no such call
        return
    # A folder that we may write into but not read cannot be opened.
    with suppress(PermissionError):
        _sync(path, os.O_RDONLY)


def sync_tree(path: Path) -> None:
    """Write a file, or a folder with all below it, to the disk; the deepest first."""
    if path.is_dir():
        for each in path.iterdir():
            sync_tree(each)
        sync_folder(path)
    else:
        sync_file(path)


def sync_copies(source: Path, target: Path) -> None:
    """Write to the disk what was copied from a folder or a file to another place.

    Only what the source has: others may have much in the same place.
    """
    if source.is_dir():
        for each in source.iterdir():
            sync_copies(each, target / each.name)
        sync_folder(target)
    else:
        sync_file(target)


def _sync(path: Path, flags: int) -> None:
    file = os.open(path, flags)
    try:
        with writing(path):
            os.fsync(file)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # of file systems without this call
            raise
    finally:
        os.close(file)
