"""The kept table: the files of a table in a run, and what is known of them."""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from fitreel.checks.files import sha256
from fitreel.data.schema import Schema
from fitreel.data.table.fetching import STANDARD_INPUT

LARGEST_RECORD = 10_000_000  # bytes
KINDS = ("csv", "tsv", "parquet")


@dataclass(frozen=True)
class KeptFile:
    """A file of rows: what it is called in the run, and where it came from."""

    name: str  # of the copy; empty if the file is too large to be kept
    address: str
    sha256: str
    size: int  # bytes


@dataclass(frozen=True)
class KeptTable:
    """The record of a table in a run: its files, its schema, and how many rows each part has."""

    files: tuple[KeptFile, ...]  # the rows; the test rows, if they are in a file of their own
    schema: Schema
    rows: dict[str, int]  # training, validation, test

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        content = asdict(self) | {"schema": self.schema.to_json()}
        text = json.dumps(content, indent=2, ensure_ascii=False)
        path.write_text(f"{text}\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what ``save`` wrote; ValueError if it is something else."""
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            files = tuple(KeptFile(**each) for each in found["files"])
            if not files or not all(_is_plain(each.name) for each in files):
                raise ValueError("it names no file of rows")
            return cls(files, Schema.from_json(found["schema"]), found["rows"])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"{path.name} is not the record of a table: {error}") from None


def keep_files(
    folder: Path, files: dict[str, Path], addresses: dict[str, str], most: int
) -> tuple[KeptFile, ...]:
    """Copy files of rows into a folder, each under its key; those of more than ``most`` bytes not.

    ``addresses`` say where each came from, by the same keys; standard input is always kept.
    """
    kept = []
    for name, file in files.items():
        size = file.stat().st_size
        full = name + "".join(_suffixes(file))
        is_kept = size <= most or addresses[name] == STANDARD_INPUT
        if is_kept:
            shutil.copyfile(file, folder / full)
        kept.append(KeptFile(full if is_kept else "", addresses[name], sha256(file), size))
    return tuple(kept)


def _suffixes(file: Path) -> list[str]:
    """Return the suffixes that say how to read a file, as [".csv", ".gz"]."""
    known = [f".{kind}" for kind in (*KINDS, "gz")]
    return [suffix for each in file.suffixes if (suffix := each.lower()) in known][-2:]


def _is_plain(name: str) -> bool:
    return name == Path(name).name
