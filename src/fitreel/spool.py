"""The spool: the directory of all journals, and what is known of each from its first lines."""

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from fitreel.journal import Journal, Record, read

VARIABLE = "FITREEL_SPOOL"
HOUR = 3600


class Undelivered(Exception):
    """Results wait in the spool, because the tracking store did not take them."""


class Unavailable(ConnectionError):
    """The tracking store is there, but too busy to begin: it is worth to try again later."""


@dataclass(frozen=True)
class Entry:
    """Hold what a journal is about."""

    directory: Path
    uri: str  # of the tracking store; empty if not even that can be read
    plan: Record  # the command that wrote it; empty if that is not gone on with
    run_id: str | None  # None if the process died before it knew
    status: str | None  # how the command ended; None if it did not end itself
    diverged: bool

    @property
    def is_over(self) -> bool:
        """Tell whether there is nothing to go on with."""
        ended = self.status == "FINISHED" or (self.status == "FAILED" and self.diverged)
        return ended or not self.plan


def directory() -> Path:
    """Give the place of the spool: $FITREEL_SPOOL, else one among the user's own files."""
    chosen = os.environ.get(VARIABLE)
    return Path(chosen).absolute() if chosen else platformdirs.user_state_path("fitreel") / "spool"


def new_journal() -> Journal:
    """Begin a journal in the spool; PermissionError where that cannot be written."""
    path = directory() / f"{time.strftime('%Y%m%dT%H%M%S')}-{secrets.token_hex(4)}"
    try:
        directory().mkdir(mode=0o700, parents=True, exist_ok=True)
        path.mkdir(mode=0o700)
        return Journal(path)
    except OSError as error:
        raise PermissionError(
            f"cannot write the journal of the run: {error}; name another place with ${VARIABLE}"
        ) from None


def entries() -> list[Entry]:
    """List what is in the spool, the oldest first."""
    return [
        entry
        for path in sorted(directory().glob("*/journal"))
        if (entry := _entry(path.parent)) is not None
    ]


def _entry(path: Path) -> Entry | None:
    uri, plan, run_id, status, diverged = "", None, None, None, False
    for record in _readable(path):
        if record["kind"] == "plan":
            uri, plan = record["uri"], record["plan"]
        elif record["kind"] == "run":
            run_id = record["run_id"]
        elif record["kind"] == "status":
            status = None if record["status"] == "RUNNING" else record["status"]
        elif record["kind"] == "values":
            diverged = diverged or "fitreel.diverged_epoch" in record.get("tags", {})
    if not uri and _is_empty(path):
        return None
    return Entry(path, uri, plan or {}, run_id, status, diverged)


def _readable(path: Path) -> Iterator[Record]:
    try:
        yield from (record for _, record in read(path))
    except (ValueError, FileNotFoundError):  # damaged further on; removed just now
        return


def _is_empty(path: Path) -> bool:
    """Tell whether there is not one whole record, not even a damaged one."""
    try:
        return next(read(path), None) is None
    except FileNotFoundError:
        return True
    except ValueError:
        return False


def sweep() -> None:
    """Remove what a process left that died while it made or removed a journal."""
    for path in directory().glob("*/"):
        if _is_empty(path) and time.time() - path.stat().st_mtime > HOUR:
            shutil.rmtree(path, ignore_errors=True)
