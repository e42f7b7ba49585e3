"""The encoding: the columns of a table become the features of a dataset, as its schema says."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from fitreel.checks.text import plain, shown
from fitreel.data.schema import OTHER, Column, Schema
from fitreel.data.table.cells import narrowed

if TYPE_CHECKING:
    import pyarrow


def encode(
    schema: Schema, rows: "pyarrow.RecordBatch | pyarrow.Table", first_row: int = 1
) -> Tensor:
    """Return the features of rows: (rows, features), float32, in raw units.

    Columns are found by name, in any order; others do not matter. ``first_row`` is the number of
    the first row, for errors. Raises ValueError, which names column and row, for a column that is
    missing, a cell of another kind, and a missing value for which the schema has nothing.
    """
    names = [plain(name.strip()) for name in rows.schema.names]
    if missing := [each.name for each in schema.columns if each.name not in names]:
        raise ValueError(f"column '{shown(missing[0])}' is missing")
    features = np.empty((len(rows), len(schema.features)), np.float32)
    start = 0
    for column in schema.columns:
        stop = start + len(column.features)
        _fill(features[:, start:stop], column, rows.column(names.index(column.name)), first_row)
        start = stop
    return torch.from_numpy(features)


def _fill(features: Any, column: Column, cells: Any, first_row: int) -> None:
    """Write the features of one column: (rows, features of the column)."""
    done = 0
    for chunk in getattr(cells, "chunks", [cells]):
        kept = narrowed(chunk, column.kind, column.name, first_row + done)
        if kept.null_count and column.fill is None:
            place = first_row + done + kept.is_null().index(True).as_py()
            raise ValueError(f"column '{shown(column.name)}' lacks a value in row {place:,}")
        part = features[done : done + len(kept)]
        if column.kind == "category":
            _one_hot(part, column, kept)
        else:
            part[:, 0] = _numbers(kept, column.fill)
        done += len(kept)


def _numbers(cells: Any, fill: float | str | None) -> Any:
    import pyarrow

    if pyarrow.types.is_boolean(cells.type):
        cells = cells.cast(pyarrow.float32())
    if cells.null_count:
        cells = cells.fill_null(pyarrow.scalar(fill, pyarrow.float32()))
    return cells.to_numpy(zero_copy_only=False)


def _one_hot(features: Any, column: Column, cells: Any) -> None:
    places = {value: place for place, value in enumerate(column.values)}
    other = places.get(OTHER, len(places))  # without it, an unknown value has no feature
    known = [places.get(value, other) for value in cells.dictionary.to_pylist()]
    fill = places.get(str(column.fill), other)
    # The last one is that of a missing value, the column after the last that of an unknown one.
    lookup = np.eye(len(places) + 1, dtype=np.float32)[[*known, fill], : len(places)]
    codes = cells.indices.fill_null(len(known)).to_numpy(zero_copy_only=False)
    features[:] = lookup[codes]
