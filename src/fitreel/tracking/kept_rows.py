"""The rows of a table that a run keeps, or that are where they were: read as they were used."""

from collections.abc import Callable
from pathlib import Path

from fitreel.checks.files import sha256
from fitreel.data.dataset import Dataset
from fitreel.data.table.kept import KeptFile, KeptTable
from fitreel.data.table.reading import read_table
from fitreel.settings import TableSettings
from fitreel.tracking.download import fetch

# Returns a copy of a file that a run keeps.
Copy = Callable[[KeptFile], Path]


def files_of(record: KeptTable, copy: Copy, folder: Path) -> list[Path]:
    """Return the files of rows: those of the run, or those at their addresses.

    Raises ValueError if one is not what the run was trained on.
    """
    found = []
    for each in record.files:
        file = copy(each) if each.name else fetch(each.address, folder)
        if sha256(file) != each.sha256:
            where = each.name or each.address
            raise ValueError(f"{where} changed since the run read it: its SHA-256 is another")
        found.append(file)
    return found


def read_rows(files: list[Path], settings: TableSettings, seed: int) -> Dataset:
    """Read rows as they were read first, split by the same seed."""
    return read_table(files[0], settings, seed, *files[1:]).dataset
