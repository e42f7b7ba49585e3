"""The encoding: the columns of a table become the features of a dataset, as its schema says."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fitreel.checks.text import plain, shown
from fitreel.data.schema import OTHER, Column, Schema
from fitreel.data.table.cells import Cells, read_cells
from fitreel.data.table.columns import Columns
from fitreel.data.table.file import open_table

if TYPE_CHECKING:
    import pyarrow


def batches(file: Path, columns: Sequence[str] = (), most: int = 2**14) -> Iterator[Any]:
    """Yield the rows of a file as record batches of pyarrow, at most so many rows in each.

    The memory holds one batch and what was read ahead, a few megabytes, of any file. Without
    ``columns`` all that have a name are read. The columns of CSV are texts, in which ``encode``
    finds numbers. Raises ValueError if a column is missing, or the file is damaged.
    """
    source = open_table(file)
    if lacking := [name for name in columns if name not in source.schema.names]:
        raise ValueError(f"{file.name} has no column '{shown(lacking[0])}'")
    yield from source.batches(tuple(columns or filter(None, source.schema.names)), most)


def encode(
    schema: Schema, rows: "pyarrow.RecordBatch | pyarrow.Table", first_row: int = 1
) -> Tensor:
    """Return the features of rows: (rows, features), float32, in raw units.

    Columns are found by name, in any order; others do not matter. A text that no training row had
    is "other", or none of a category's values if that has no such feature. ``first_row`` is the
    number of the first row, for errors. Raises ValueError, which names column and row, for a column
    that is missing, a cell of another kind, and a missing value that the schema does not fill.
    """
    names = [plain(name.strip()) for name in rows.schema.names]
    features = np.empty((len(rows), len(schema.features)), np.float32)
    for column, part in _parts(schema, features):
        if column.name not in names:
            raise ValueError(f"column '{shown(column.name)}' is missing")
        array, done = rows.column(names.index(column.name)), 0
        for chunk in getattr(array, "chunks", [array]):
            cells = read_cells(chunk, column.kind, column.name, first_row + done)
            if column.fill is None and cells.is_missing.any():
                row = first_row + done + int(cells.is_missing.argmax())
                raise ValueError(f"column '{shown(column.name)}' has no value in row {row:,}")
            _write(part[done : done + len(chunk)], column, cells)
            done += len(chunk)
    return torch.from_numpy(features)


def encode_some(schema: Schema, columns: Columns, rows: NDArray[np.bool_]) -> Tensor:
    """Return what ``encode`` returns, of the rows that a mask chooses; none lacks a value."""
    features = np.empty((int(rows.sum()), len(schema.features)), np.float32)
    for column, part in _parts(schema, features):
        # Column by column, so that the memory holds no second copy of all.
        _write(part, column, columns[column.name].of(rows))
    return torch.from_numpy(features)


def _parts(
    schema: Schema, features: NDArray[np.float32]
) -> Iterator[tuple[Column, NDArray[np.float32]]]:
    """Yield each column, and the part of the features that is its own."""
    for column, part in zip(schema.columns, schema.parts.values(), strict=True):
        yield column, features[:, part]


def _write(features: NDArray[np.float32], column: Column, cells: Cells) -> None:
    """Write the features of one column: (rows, features of the column)."""
    values = cells.values
    if column.kind != "category":
        fill = np.float32(column.fill or 0)
        features[:, 0] = np.where(np.isnan(values), fill, values)
        return
    places = {value: place for place, value in enumerate(column.values)}
    other = places.get(OTHER, len(places))  # without it, an unknown text has no feature
    known = [places.get(text, other) for text in cells.texts]
    missing = places.get(str(column.fill), other)
    # A missing one has the place -1: that of the last row.
    lookup = np.eye(len(places) + 1, len(places), dtype=np.float32)[[*known, missing]]
    features[:] = lookup[values]
