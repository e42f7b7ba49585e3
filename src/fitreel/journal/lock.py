"""The lock of a directory: a living process has it, a dead one has none, and no path is made."""

import errno
import os
from pathlib import Path

from filelock import lock_descriptor, unlock_descriptor


class Lock:
    """The lock of a directory, held until it is released or the process dies."""

    def __init__(self, directory: Path, *, create: bool = False) -> None:
        """Take it without waiting; ``create`` makes its file, never the directory.

        Raises BlockingIOError while a living process has it, FileNotFoundError where it is not
        there or was removed meanwhile.
        """
        path = directory / "lock"
        self._file = os.open(path, os.O_RDWR | (os.O_CREAT if create else 0), 0o600)
        try:
            if not lock_descriptor(self._file, blocking=False):
                raise BlockingIOError(f"{directory} is in use by a process that lives")
            # Who removes a directory holds its lock. What we locked may be that one's old file.
            if not os.path.samestat(os.fstat(self._file), path.lstat()):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        except BaseException:
            os.close(self._file)
            raise

    def release(self) -> None:
        """Let another process have it."""
        unlock_descriptor(self._file)
        os.close(self._file)
