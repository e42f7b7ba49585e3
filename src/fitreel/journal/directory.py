"""The directory of a journal: which files belong to it."""

import re
import stat
from pathlib import Path, PurePosixPath

# All files of a journal's directory, in the order in which they are deleted: the journal first,
# the lock last. Otherwise a death in between would leave a journal without its files, which sync
# would deliver again.
FILES = (
    *("journal", "checkpoint", "checkpoint.new", "safe", "safe.new"),
    *("delivered", "delivered.new", "reserve"),
    "lock",
)
FOLDER = re.compile(r"tmp[a-z0-9_]{8}")  # as tempfile.mkdtemp names those in artifacts


def is_only_ours(directory: Path) -> bool:
    """Return whether a directory has nothing but what a journal keeps there."""
    for path in directory.iterdir():
        if path.name == "artifacts" and _is_real(path) and path.is_dir():
            if not all(FOLDER.fullmatch(each.name) for each in path.iterdir()):
                return False
        elif path.name not in FILES or not stat.S_ISREG(path.lstat().st_mode):
            return False
    return True


def is_inside(name: object) -> bool:
    """Return whether a name is a relative path that does not lead upwards."""
    # On Windows a backslash separates folders, too.
    if not isinstance(name, str) or {"\\", "\0"} & set(name):
        return False
    path = PurePosixPath(name)
    return path.parts != () and not path.is_absolute() and ".." not in path.parts


def is_own(path: Path, root: Path) -> bool:
    """Return whether a path, all folders from ``root`` to it and all below it are plain."""
    # A link anywhere on the way would have a file of somebody else delivered.
    above = [each for each in path.parents if each.is_relative_to(root)]
    return all(map(_is_real, (path, *above))) and all(map(_is_real, path.rglob("*")))


def _is_real(path: Path) -> bool:
    """Return whether it is a file or a directory itself, not a link, pipe or device."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)
