"""A new SQLite store: created elsewhere and linked to its name.

MLflow's own migration fails if two processes start it at once, and leaves half a database if it is
killed. PostgreSQL and MySQL have locks for that: see database.py.
"""

import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from filelock import FileLock
from mlflow.tracking import MlflowClient

from fitreel.checks.durability import sync_file, sync_folder
from fitreel.journal.spool import scratch


def check_place(path: Path) -> None:
    """Check that a file can be written or created, without doing so; PermissionError if not."""
    path = path.absolute()
    there = next(each for each in (path, *path.parents) if each.exists())
    if not os.access(there, os.W_OK) or not (there == path or there.is_dir()):
        raise PermissionError(f"cannot write {path}; name another place with --tracking-uri")


def create_database(path: Path) -> None:
    """Create a SQLite store elsewhere and move it into place complete, unless one is there then.

    Raises PermissionError if the store cannot be created.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PermissionError(f"cannot create the directory of {path}: {error}") from None
    check_place(path)
    with scratch() as folder:
        # In the spool: a killed process leaves half a database where the next command removes it.
        draft = folder / path.name
        MlflowClient(f"sqlite:///{draft}").search_experiments(max_results=1)
        # Beside its place, because a hard link needs the same file system.
        copy = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
        try:
            shutil.copyfile(draft, copy)
            sync_file(copy)
            _place(copy, path)
            sync_folder(path.absolute().parent)
        finally:
            copy.unlink(missing_ok=True)


def _place(copy: Path, path: Path) -> None:
    """Move a file to its place, unless another process was first: its file is as good."""
    try:
        with suppress(FileExistsError):
            path.hardlink_to(copy)
    except OSError:
        # No hard links here, as on FAT; a rename would replace what another has put there.
        lock = path.with_name(f".{path.name}.lock")
        with FileLock(lock):
            if not path.exists():
                copy.rename(path)
            lock.unlink(missing_ok=True)  # those who wait for it find the database
