"""The entry: what a journal is about, read from its records."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fitreel.checks.ownership import check_own
from fitreel.journal.records import FORMAT, Record, read


@dataclass(frozen=True)
class Entry:
    """What a journal is about."""

    directory: Path
    uri: str  # of the tracking store; empty if not even that can be read
    plan: Record  # of its command; empty if that is not resumed
    run_id: str | None  # None if the process died before it had one
    status: str | None  # how the command ended; None if it died
    resumable: bool  # False once the command ended for good
    is_guest: bool = False  # its run was opened by somebody else, who ends it
    format: int = 1  # of its records; that of a later version is not known here

    @property
    def is_over(self) -> bool:
        """Whether nothing can be resumed: once delivered, the journal may go."""
        return not (self.resumable and self.plan)

    def check_format(self) -> None:
        """Raise ValueError if its records are those of a later version."""
        if self.format > FORMAT:
            raise ValueError(
                f"{self.directory} was written by a newer fitreel (format {self.format} of "
                f"journals; this one reads up to {FORMAT}); update fitreel"
            )


def read_entry(path: Path) -> Entry | None:
    """Return what a journal is about; None if it has no record."""
    check_own(path)
    uri, plan, run_id, status, resumable = "", None, None, None, True
    diverged, is_guest, version = False, False, 1
    for record in _readable(path):
        if record["kind"] == "plan":
            uri, plan, version = record["uri"], record["plan"], record.get("format", 1)
        elif record["kind"] == "run":
            run_id, is_guest = record["run_id"], record.get("guest", False)
        elif version > FORMAT:  # what its records mean is not known here
            continue
        elif record["kind"] == "status":
            # A resumed run says RUNNING again.
            status = None if record["status"] == "RUNNING" else record["status"]
            ended = status == "FINISHED" or (status == "FAILED" and diverged)
            resumable = record.get("resumable", not ended)
        elif record["kind"] == "values":
            # Journals of fitreel 0.2.0: their last record does not say whether to resume. All but
            # finished runs were resumed, and those that diverged and would again, by this tag.
            diverged = diverged or "fitreel.diverged_epoch" in record.get("tags", {})
    if not uri and is_empty(path):
        return None
    return Entry(path, uri, plan or {}, run_id, status, resumable, is_guest, version)


def _readable(path: Path) -> Iterator[Record]:
    with suppress(ValueError):  # damaged from there on
        yield from (record for _, record in read(path))


def is_empty(path: Path) -> bool:
    """Return whether there is no whole record, not even a damaged one."""
    try:
        return next(read(path), None) is None
    except FileNotFoundError:
        return True
    except ValueError:
        return False
