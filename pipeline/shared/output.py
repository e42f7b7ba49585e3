"""Standard output and error, which may be closed or lose their reader."""

import errno
import io
import os
import sys

UNREAD = (errno.EPIPE, errno.EIO, errno.EBADF)  # a pipe or a terminal without a reader, or closed


class Output(io.TextIOWrapper):
    """A standard output whose reader may go away without stopping the command."""

    def write(self, text: str, /) -> int:
        """Write text, or drop it."""
        try:
            return super().write(text)
        except OSError as error:
            self._drop(error)
            return len(text)

    def flush(self) -> None:
        """Write the buffered text, or drop it."""
        try:
            super().flush()
        except OSError as error:
            self._drop(error)

    def _drop(self, error: OSError) -> None:
        """Drop all text from now on; raise OSError if a result is lost that somebody reads."""
        number = self.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        # The descriptor itself, so that subprocesses and C code do not fail either.
        os.dup2(nowhere, number)
        os.close(nowhere)
        if number == 1 and error.errno not in UNREAD:  # a full disk
            raise OSError(error.errno, error.strerror, "standard output") from None


def keep_outputs() -> None:
    """Keep output going to its reader or nowhere; call this before any file is opened."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # It gets the least number that is free. Else a database would, and all messages.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    for name in ("stdout", "stderr"):
        found = getattr(sys, name)
        if found is None:  # it was closed; print() would take the other one
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        else:
            ours = Output(found.buffer, found.encoding, found.errors, line_buffering=True)
            setattr(sys, name, ours)
