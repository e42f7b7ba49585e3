"""Files from outside: their size is checked before they are read. Writing a file safely."""

import hashlib
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fitreel.checks.durability import sync_file, sync_folder

BLOCK = 2**20  # bytes of text without a line's end that no table of ours has


def check_size(name: str, size: int, most: int) -> None:
    """Raise ValueError unless a file of ``size`` bytes may be read."""
    # Devices and pipes have the size 0; a copy of one would not end.
    if size == 0:
        raise ValueError(f"{name} is empty, or not a regular file")
    if size > most:
        raise ValueError(f"{name} has {size:,} bytes; at most {most:,} are allowed")


def sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sums(path: Path) -> dict[str, str]:
    """Return the SHA-256 of a file, or of all files below a folder, by name."""
    if not path.is_dir():
        return {path.name: sha256(path)}
    files = (each for each in path.rglob("*") if each.is_file())
    return {each.relative_to(path).as_posix(): sha256(each) for each in files}


def check_lines(path: Path) -> None:
    """Raise ValueError if a line is so long that reading it would fill the memory."""
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            # A lone \r ends a line, too, for Python's readers of text.
            if len(block) == BLOCK and b"\n" not in block and b"\r" not in block:
                raise ValueError(f"a line has {BLOCK:,} bytes or more")


def publish(file: Path, directory: Path) -> None:
    """Copy a file into a directory, completely or not at all; it replaces one of the same name."""
    with (
        drafted(directory / file.name) as draft,
        file.open("rb") as ours,
        draft.open("xb") as theirs,
    ):
        shutil.copyfileobj(ours, theirs)


@contextmanager
def drafted(out: Path) -> Iterator[Path]:
    """Yield the path of a file that takes the place of ``out`` when the block is done."""
    # In the same directory, because only there a rename is one step.
    draft = out.parent / f".{out.name}-{secrets.token_hex(4)}"
    try:
        yield draft
        # Before the rename: after a power cut the name would stand for an empty file.
        sync_file(draft)
        draft.replace(out)
        sync_folder(out.parent)
    finally:
        draft.unlink(missing_ok=True)
