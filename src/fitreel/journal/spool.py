"""The spool: the directory of all journals, and what is known of each from its first lines."""

import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from fitreel.checks.ownership import check_own, check_parents
from fitreel.journal.journal import Journal, Record, is_only_ours, read

VARIABLE = "FITREEL_SPOOL"
MARKER = "fitreel-spool"  # the file that says that a directory is a spool
NAME = re.compile(r"\d{8}T\d{6}-[0-9a-f]{8}")  # of a journal's directory


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
    resumable: bool  # False once the command ended for good

    @property
    def is_over(self) -> bool:
        """Whether nothing can be resumed: once delivered, the journal may go."""
        return not (self.resumable and self.plan)


def directory() -> Path:
    """Give the place of the spool: $FITREEL_SPOOL, else one among the user's own files."""
    chosen = os.environ.get(VARIABLE)
    return Path(chosen).absolute() if chosen else platformdirs.user_state_path("fitreel") / "spool"


def new_journal() -> Journal:
    """Begin a journal in the spool, which is made and tidied; PermissionError where it cannot be.

    ValueError where its place is a directory of something else.
    """
    discard_remains()
    return _begin()


@contextmanager
def scratch() -> Iterator[Path]:
    """Lend a new directory; whatever ends the process, the spool is rid of it later.

    It is a journal's that never gets a record.
    """
    journal = _begin()
    try:
        yield journal.folder()
    finally:
        journal.remove()


def _begin() -> Journal:
    place = directory()
    if not is_there(place):
        with _writing():
            for each in (*reversed(place.parents), place):
                if not each.exists():
                    each.mkdir(mode=0o700, exist_ok=True)
        is_there(place)
    with _writing():
        if not (place / MARKER).exists():
            (place / MARKER).write_text(
                "This directory is fitreel's own: it keeps journals here.\n"
            )
        while True:
            path = place / f"{time.strftime('%Y%m%dT%H%M%S')}-{secrets.token_hex(4)}"
            path.mkdir(mode=0o700)
            # Another process may just have taken it for what a dead one left.
            with suppress(BlockingIOError, FileNotFoundError):
                return Journal(path, create=True)


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PermissionError(
            f"cannot write into the spool: {error}; name another place with ${VARIABLE}"
        ) from None


def is_there(place: Path) -> bool:
    """Tell whether there is a spool in a place.

    Raises PermissionError if others could put something into it, ValueError if it is a directory
    of something else.
    """
    try:
        check_parents(place)
        check_own(place)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise type(error)(f"{error}; mend that, or name another place with ${VARIABLE}") from None
    # In this order: who makes a spool marks it before anything else is in it.
    if any(place.iterdir()) and not (place / MARKER).is_file():
        raise ValueError(
            f"{place} is no spool of fitreel: it holds something, but no file {MARKER}; "
            f"name another place with ${VARIABLE}"
        )
    return True


def _paths() -> list[Path]:
    """List the directories of journals, the oldest first; nothing else in the spool is ours."""
    place = directory()
    if not is_there(place):
        return []
    return sorted(path for path in place.iterdir() if NAME.fullmatch(path.name))


def entries() -> list[Entry]:
    """List what is in the spool, the oldest first.

    A living process may change or remove any of it the next moment: before something is done
    about an entry, it is opened, and read once more. One that cannot be read has no URI.
    """
    found = []
    for path in _paths():
        try:
            entry = _entry(path)
        except FileNotFoundError:  # removed just now
            continue
        except OSError:  # who opens it learns why
            entry = Entry(path, "", {}, None, None, resumable=False)
        if entry is not None:
            found.append(entry)
    return found


def opened(path: Path) -> tuple[Journal, Entry]:
    """Open a journal, and say what it is about now that nobody else changes it.

    Raises FileNotFoundError if it was removed since it was listed, BlockingIOError while a living
    process has it, another OSError if it cannot be read.
    """
    check_own(path)
    journal = Journal(path)
    try:
        entry = _entry(path)
        if entry is None:
            raise FileNotFoundError(f"{path} holds no record")
    except BaseException:
        journal.close()
        raise
    return journal, entry


def _entry(path: Path) -> Entry | None:
    check_own(path)
    uri, plan, run_id, status, resumable = "", None, None, None, True
    diverged = False
    for record in _readable(path):
        if record["kind"] == "plan":
            uri, plan = record["uri"], record["plan"]
        elif record["kind"] == "run":
            run_id = record["run_id"]
        elif record["kind"] == "status":
            status = None if record["status"] == "RUNNING" else record["status"]
            ended = status == "FINISHED" or (status == "FAILED" and diverged)
            resumable = record.get("resumable", not ended)
        elif record["kind"] == "values":
            # Journals of fitreel 0.2.0: their last record does not say whether to resume. All but
            # finished runs were resumed, and those that diverged and would again, by this tag.
            diverged = diverged or "fitreel.diverged_epoch" in record.get("tags", {})
    if not uri and _is_empty(path):
        return None
    return Entry(path, uri, plan or {}, run_id, status, resumable)


def _readable(path: Path) -> Iterator[Record]:
    with suppress(ValueError):  # damaged further on
        yield from (record for _, record in read(path))


def _is_empty(path: Path) -> bool:
    """Tell whether there is not one whole record, not even a damaged one."""
    try:
        return next(read(path), None) is None
    except FileNotFoundError:
        return True
    except ValueError:
        return False


def discard_remains() -> None:
    """Remove what dead processes left without a record: journals half made or removed, scratch."""
    for path in _paths():
        with suppress(OSError):  # vanished, in use, or not ours to touch
            if _is_remains(path):
                journal = Journal(path, create=True)
                journal.remove() if _is_remains(path) else journal.close()


def _is_remains(path: Path) -> bool:
    check_own(path)
    return _is_empty(path) and is_only_ours(path)
