"""Files from outside: their size is checked before they are read. Writing a file safely."""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BLOCK = 2**20  # bytes of text without a line's end that no table of ours has


def check_size(name: str, size: int, most: int) -> None:
    """Raise ValueError unless a file of ``size`` bytes may be read."""
    # Devices and pipes have the size 0; a copy of one would not end.
    if size == 0:
        raise ValueError(f"{name} is empty, or not a regular file")
    if size > most:
        raise ValueError(f"{name} has {size:,} bytes; at most {most:,} are allowed")


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
        draft.replace(out)
    finally:
        draft.unlink(missing_ok=True)
