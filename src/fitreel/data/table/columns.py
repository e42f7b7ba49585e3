"""The columns of a table in the memory."""

import mmap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fitreel.checks.text import shown
from fitreel.data.table.cells import CellKind, Cells, read_cells
from fitreel.data.table.file import TableFile
from fitreel.data.table.limits import MOST_TEXTS, check_numbers


@dataclass(frozen=True, eq=False)
class Columns:
    """Some columns of a table, of all its rows."""

    rows: int
    cells: dict[str, Cells]

    def __getitem__(self, name: str) -> Cells:
        return self.cells[name]


def read_columns(
    file: TableFile, columns: Sequence[str], kept: dict[str, CellKind], group: str = ""
) -> Columns:
    """Read some columns; ValueError names column and row of a cell that is not of its kind.

    Only the column of groups may have more than 100,000 different texts.
    """
    drafts = {name: _Draft() for name in columns}
    rows = 0
    for batch in file.batches(columns):
        check_numbers(file.path.name, rows + len(batch), len(columns))
        for (name, draft), array in zip(drafts.items(), batch.columns, strict=True):
            draft.add(read_cells(array, kept[name], name, rows + 1), rows)
            if len(draft.places) > MOST_TEXTS and name != group:
                raise ValueError(
                    f"column '{shown(name)}' has more than {MOST_TEXTS:,} different texts; choose "
                    "other columns with --features"
                )
        rows += len(batch)
    if not rows:
        raise ValueError(f"{file.path.name} has no rows")
    return Columns(rows, {name: draft.cells(kept[name], rows) for name, draft in drafts.items()})


@dataclass
class _Draft:
    """A column that grows: chunks that are joined at the end would need the memory twice."""

    values: NDArray[Any] = field(default_factory=lambda: np.empty(0))
    places: dict[str, int] = field(default_factory=dict)  # of texts

    def add(self, cells: Cells, start: int) -> None:
        """Write the cells of the rows from ``start`` on."""
        values = cells.values
        if cells.kind == "category":
            own = [self.places.setdefault(text, len(self.places)) for text in cells.texts]
            values = np.array([*own, -1], np.int32)[values]
        stop = start + len(values)
        if stop > len(self.values):
            room = _room(2 * stop, values.dtype)
            room[:start] = self.values[:start]
            self.values = room
        self.values[start:stop] = values

    def cells(self, kind: CellKind, rows: int) -> Cells:
        """Return the cells of all rows."""
        return Cells(kind, self.values[:rows], tuple(self.places))


def _room(count: int, kind: np.dtype[Any]) -> NDArray[Any]:
    """Return an array that takes memory only where it is written, and returns it when it ends.

    What numpy allocates stays with the process: a million rows would need half as much again.
    """
    return np.frombuffer(mmap.mmap(-1, count * kind.itemsize), kind)
