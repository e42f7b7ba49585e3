"""The encoding: the columns of a table become the features of a dataset, as its schema says."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
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

    Columns are found by name, in any order; others do not matter. A text that no training row had
    is "other", or none of a category's values if that has no such feature. ``first_row`` is the
    number of the first row, for errors. Raises ValueError, which names column and row, for a column
    that is missing, a cell of another kind, and a missing value that the schema does not fill.
    """
    return encode_some(schema, rows, None, first_row)


def encode_some(
    schema: Schema, rows: Any, mask: NDArray[np.bool_] | None, first_row: int = 1
) -> Tensor:
    """Return what ``encode`` returns, of the rows that the mask chooses, (rows,)."""
    names = [plain(name.strip()) for name in rows.schema.names]
    count = len(rows) if mask is None else int(mask.sum())
    features = np.empty((count, len(schema.features)), np.float32)
    start = 0
    # Column by column, so that the memory holds no second copy of all.
    for column in schema.columns:
        if column.name not in names:
            raise ValueError(f"column '{shown(column.name)}' is missing")
        stop = start + len(column.features)
        cells = rows.column(names.index(column.name))
        cells = cells if mask is None else _chosen(cells, mask)
        _fill(features[:, start:stop], column, cells, first_row)
        start = stop
    return torch.from_numpy(features)


def _chosen(cells: Any, mask: NDArray[np.bool_]) -> Any:
    import pyarrow

    return cells.filter(pyarrow.array(mask))


def _fill(features: Any, column: Column, cells: Any, first_row: int) -> None:
    """Write the features of one column: (rows, features of the column)."""
    done = 0
    for chunk in getattr(cells, "chunks", [cells]):
        kept = narrowed(chunk, column.kind, column.name, first_row + done)
        if kept.null_count and column.fill is None:
            row = first_row + done + kept.is_null().index(True).as_py()
            raise ValueError(f"column '{shown(column.name)}' has no value in row {row:,}")
        part = features[done : done + len(kept)]
        if column.kind == "category":
            _one_hot(part, column, kept)
        else:
            part[:, 0] = _numbers(kept, column.fill)
        done += len(kept)


def _numbers(cells: Any, fill: float | str | None) -> Any:
    import pyarrow

    numbers = cells.cast(pyarrow.uint8()) if pyarrow.types.is_boolean(cells.type) else cells
    numbers = numbers.cast(pyarrow.float32())
    if numbers.null_count:
        numbers = numbers.fill_null(pyarrow.scalar(fill, pyarrow.float32()))
    return numbers.to_numpy(zero_copy_only=False)


def _one_hot(features: Any, column: Column, cells: Any) -> None:
    places = {value: place for place, value in enumerate(column.values)}
    other = places.get(OTHER, len(places))  # without it, an unknown text has no feature
    known = [places.get(text, other) for text in cells.dictionary.to_pylist()]
    missing = places.get(str(column.fill), other)
    lookup = np.eye(len(places) + 1, len(places), dtype=np.float32)[[*known, missing]]
    features[:] = lookup[cells.indices.fill_null(len(known)).to_numpy(zero_copy_only=False)]
