"""The following of a journal that another process writes: its new records, without its lock."""

from contextlib import suppress
from pathlib import Path

from fitreel.checks.ownership import check_own
from fitreel.journal import spool
from fitreel.journal.records import Record, records_in


class Followed:
    """A journal that is only read, while it grows and after it was delivered and removed."""

    def __init__(self, directory: Path) -> None:
        """Open it; FileNotFoundError if it was removed."""
        check_own(directory)
        self._path = directory / "journal"
        # Open until the end: a journal that is delivered is removed, with records not yet read.
        self._file = self._path.open("rb")
        self._end = 0  # of what was read

    def new(self) -> list[Record]:
        """Return the records since the last call; ValueError where a line is damaged."""
        found = []
        for end, record in records_in(self._file, self._path, self._end):
            self._end = end
            found.append(record)
        return found

    def close(self) -> None:
        """Close it."""
        self._file.close()


def journals_of(run_id: str) -> list[Followed]:
    """Open the journals of a run in the spool of this machine, the oldest first.

    Raises ValueError if one is of a later version.
    """
    found = []
    for entry in spool.entries():
        if entry.run_id == run_id:
            entry.check_format()
            with suppress(FileNotFoundError):  # delivered and removed since it was listed
                found.append(Followed(entry.directory))
    return found
