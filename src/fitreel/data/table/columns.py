"""The columns of a table in the memory: each cell as small as its kind allows."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fitreel.data.table.cells import CellKind, narrowed
from fitreel.data.table.file import TableFile
from fitreel.data.table.limits import check_numbers

if TYPE_CHECKING:
    import pyarrow


def read_columns(
    file: TableFile, columns: Sequence[str], kept: dict[str, CellKind]
) -> "pyarrow.Table":
    """Read some columns, narrowed to their kinds; ValueError names column and row of a bad cell."""
    import pyarrow

    check_numbers(file.path.name, file.rows, len(columns))
    batches, row = [], 1
    for batch in file.batches(columns):
        cells = [
            narrowed(each, kept[name], name, row)
            for name, each in zip(columns, batch.columns, strict=True)
        ]
        batches.append(pyarrow.RecordBatch.from_arrays(cells, names=list(columns)))
        row += len(batch)
        check_numbers(file.path.name, row - 1, len(columns))
    if row == 1:
        raise ValueError(f"{file.path.name} has no rows")
    return pyarrow.Table.from_batches(batches)
