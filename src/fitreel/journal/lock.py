"""The lock of a directory: it ends with the process that holds it."""

import errno
import os
from pathlib import Path

from filelock import lock_descriptor, unlock_descriptor


class Lock:
    """The lock of a directory, held until it is released or the process dies."""

    def __init__(self, directory: Path, *, create: bool = False) -> None:
        """Lock without waiting; ``create`` creates the file, never the directory.

        Raises BlockingIOError while a living process has it, FileNotFoundError if its file is
        missing or was just removed.
        """
        path = directory / "lock"
        self._file = os.open(path, os.O_RDWR | (os.O_CREAT if create else 0), 0o600)
        try:
            # The kernel's lock: it ends with the process, also by kill -9. A file that only exists
            # would not.
            if not lock_descriptor(self._file, blocking=False):
                raise BlockingIOError(f"{directory} is in use by a living process")
            # A process that removes a directory has its lock: we may have locked the removed file.
            if not os.path.samestat(os.fstat(self._file), path.lstat()):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        except BaseException:
            os.close(self._file)
            raise

    def release(self) -> None:
        """Unlock it for other processes."""
        unlock_descriptor(self._file)
        os.close(self._file)
