"""Ownership: who else could write into a directory, or replace it."""

import os
import stat
from pathlib import Path

OTHERS = stat.S_IWGRP | stat.S_IWOTH


def check_own(path: Path) -> None:
    """Raise PermissionError unless a directory is this user's and nobody else can write to it."""
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise PermissionError(f"{path} is a symbolic link")
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(f"{path} is not a directory")
    if not hasattr(os, "geteuid"):  # Windows has other rights
        return
    if found.st_uid != os.geteuid():
        raise PermissionError(f"{path} belongs to another user")
    if found.st_mode & OTHERS:
        raise PermissionError(f"others can write to {path}")


def check_parents(path: Path) -> None:
    """Raise PermissionError if anybody can move a directory away and put another in its place.

    A sticky directory, as /tmp, does not let them. One that a group can write is a user's own
    group as a rule; what others put there belongs to them, and check_own refuses it.
    """
    above = path.parent.resolve()
    for parent in (above, *above.parents):
        mode = parent.stat().st_mode if parent.exists() else 0
        if hasattr(os, "geteuid") and mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise PermissionError(f"others can replace {path}: everybody can write to {parent}")
