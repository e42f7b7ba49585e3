"""The spool: the directory of all journals."""

import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import platformdirs

from fitreel.checks.durability import sync_folder
from fitreel.checks.ownership import check_own, check_parents
from fitreel.journal.directory import is_only_ours
from fitreel.journal.entry import Entry, is_empty, read_entry
from fitreel.journal.journal import Journal

VARIABLE = "FITREEL_SPOOL"
MARKER = "fitreel-spool"  # a directory with this file is a spool
NAME = re.compile(r"\d{8}T\d{6}-[0-9a-f]{8}")  # of a journal's directory


class Undelivered(Exception):
    """Results wait in the spool because the tracking store did not take them."""


class Unavailable(ConnectionError):
    """The tracking store is there, but too busy to start with: retry later."""


def directory() -> Path:
    """Return the place of the spool: $FITREEL_SPOOL, else one among the user's own files."""
    chosen = os.environ.get(VARIABLE)
    return Path(chosen).absolute() if chosen else platformdirs.user_state_path("fitreel") / "spool"


def new_journal() -> Journal:
    """Create a journal in the spool, which is created or tidied first.

    Raises PermissionError if it cannot be written, ValueError if its place is a directory of
    something else.
    """
    discard_remains()
    return _create()


@contextmanager
def scratch() -> Iterator[Path]:
    """Yield a new directory, removed at the end, or by a later command if the process is killed.

    It belongs to a journal that never gets a record.
    """
    journal = _create()
    try:
        yield journal.folder()
    finally:
        with suppress(OSError):  # the next command removes what is left
            journal.remove()


def _create() -> Journal:
    place = directory()
    if not is_there(place):
        with _writing():
            # One by one: mkdir(parents=True) gives the mode only to the last.
            for each in (*reversed(place.parents), place):
                if not each.exists():
                    each.mkdir(mode=0o700, exist_ok=True)
                    sync_folder(each.parent)
        # Asked again: another process may have created it in between, with other rights.
        is_there(place)
    with _writing():
        if not (place / MARKER).exists():
            (place / MARKER).write_text(
                "This directory is fitreel's own: it keeps journals here.\n"
            )
        while True:
            # Random digits: many commands may start in the same second.
            path = place / f"{time.strftime('%Y%m%dT%H%M%S')}-{secrets.token_hex(4)}"
            path.mkdir(mode=0o700)
            # Another process may have removed it just now, as the remains of a dead one.
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
    """Return whether there is a spool in a place.

    Raises PermissionError if others could write into it, ValueError if it is a directory of
    something else.
    """
    try:
        check_parents(place)
        check_own(place)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise type(error)(f"{error}; fix that, or name another place with ${VARIABLE}") from None
    # In this order: a new spool is marked before anything else is in it.
    if any(place.iterdir()) and not (place / MARKER).is_file():
        raise ValueError(
            f"{place} is not a spool of fitreel: it has files, but {MARKER} is missing; "
            f"name another place with ${VARIABLE}"
        )
    return True


def _paths() -> list[Path]:
    """Return the directories of journals, the oldest first; nothing else in the spool is ours."""
    place = directory()
    if not is_there(place):
        return []
    # Their names begin with the time.
    return sorted(path for path in place.iterdir() if NAME.fullmatch(path.name))


def entries() -> list[Entry]:
    """Return what is in the spool, the oldest first.

    A living process may change or remove any entry at once: open an entry before doing something
    about it. One that cannot be read has an empty URI.
    """
    found = []
    for path in _paths():
        try:
            entry = read_entry(path)
        except FileNotFoundError:  # removed just now
            continue
        except OSError:  # to open it raises the same
            entry = Entry(path, "", {}, None, None, resumable=False)
        if entry is not None:
            found.append(entry)
    return found


def opened(path: Path) -> tuple[Journal, Entry]:
    """Open and lock a journal; return it with its entry, which no other process changes now.

    Raises FileNotFoundError if it was removed since it was listed, BlockingIOError while a living
    process has it, another OSError if it cannot be read, ValueError if it is from the future.
    """
    check_own(path)
    journal = Journal(path)
    try:
        # Read under its lock: what was listed before may have changed since.
        entry = read_entry(path)
        if entry is None:
            raise FileNotFoundError(f"{path} has no record")
        entry.check_format()
    except BaseException:
        journal.close()
        raise
    return journal, entry


@contextmanager
def claimed(paths: Iterable[Path]) -> Iterator[bool]:
    """Lock journals for a while; yield False if a living process has one of them."""
    with ExitStack() as stack:
        is_free = True
        for path in paths:
            try:
                stack.callback(Journal(path).close)
            except BlockingIOError:
                is_free = False
            except OSError:  # delivered and removed, or not readable
                continue
        yield is_free


def discard_remains() -> None:
    """Remove what dead processes left without a record: unfinished journals, scratch folders."""
    for path in _paths():
        with suppress(OSError):  # removed just now, in use, or another user's
            if _is_remains(path):
                journal = Journal(path, create=True)
                # Asked a second time: only under its lock the answer stays true.
                journal.remove() if _is_remains(path) else journal.close()


def _is_remains(path: Path) -> bool:
    check_own(path)
    return is_empty(path) and is_only_ours(path)
