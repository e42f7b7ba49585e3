"""A saved file: what a function wrote, which serves as its path."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, repr=False)
class SavedFile:
    """A file that was written; a kind of it says how a notebook shows it."""

    path: Path

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"
