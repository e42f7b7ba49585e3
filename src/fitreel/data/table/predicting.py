"""The predicting of a file: its rows are read, predicted and written, a batch at a time."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from torch import Tensor

from fitreel.checks.files import drafted
from fitreel.checks.text import shortened, shown
from fitreel.data.schema import Schema
from fitreel.data.table.encoding import encode
from fitreel.data.table.file import TableFile, open_table
from fitreel.data.table.unpacking import plain_errors

DELIMITERS = {".csv": ",", ".tsv": "\t", ".parquet": ""}
Predict = Callable[[Tensor], Mapping[str, Any]]


def predict_file(path: Path, out: Path, schema: Schema, predict: Predict) -> int:
    """Write the rows of a file as they are, and behind them what is predicted; return how many.

    The suffix of ``out`` says how it is written; CSV keeps its delimiter. Nothing is written unless
    all of it is: raises ValueError or OSError, in one line, for rows or a suffix that cannot be
    used.
    """
    file, delimiter = open_table(path), _delimiter(out)
    if delimiter == "," and file.delimiter:
        delimiter = file.delimiter
    count = 0
    with drafted(out) as draft, draft.open("xb") as sink:
        writer: Any = None
        for batch in _predicted(file, schema, predict):
            with plain_errors(out.name):
                writer = writer or _writer(sink, batch.schema, delimiter)
                writer.write_batch(batch)
            count += len(batch)
        if writer is None:
            raise ValueError(f"{file.path.name} has no rows")
        writer.close()
    return count


def _predicted(file: TableFile, schema: Schema, predict: Predict) -> Iterator[Any]:
    """Yield batches of rows, with what is predicted as further columns."""
    import pyarrow

    row = 1
    columns = [each.name for each in schema.columns if each.name in file.schema.names]
    for written, read in file.written_batches(columns):
        found = predict(encode(schema, read, row))
        if twice := found.keys() & set(written.schema.names):
            raise ValueError(f"{file.path.name} has a column '{shown(min(twice))}' already")
        arrays = [*written.columns, *(pyarrow.array(each) for each in found.values())]
        yield pyarrow.RecordBatch.from_arrays(arrays, names=[*written.schema.names, *found])
        row += len(written)


def _delimiter(out: Path) -> str:
    if out.suffix.lower() not in DELIMITERS:
        known = ", ".join(DELIMITERS)
        raise ValueError(f"--out must end with one of {known}; got {shortened(out.name)}")
    return DELIMITERS[out.suffix.lower()]


def _writer(sink: IO[bytes], schema: Any, delimiter: str) -> Any:
    if delimiter:
        return _TextWriter(sink, schema.names, delimiter)
    from pyarrow import parquet

    return parquet.ParquetWriter(sink, schema)


class _TextWriter:
    """A writer of CSV; that of pyarrow would write all texts in quotes."""

    def __init__(self, sink: IO[bytes], names: list[str], delimiter: str) -> None:
        self._text = io.TextIOWrapper(sink, "utf-8", newline="")
        self._writer = csv.writer(self._text, delimiter=delimiter, lineterminator="\n")
        self._writer.writerow(names)

    def write_batch(self, batch: Any) -> None:
        import pyarrow

        # pyarrow writes a number with as few digits as its type needs.
        columns = (column.cast(pyarrow.string()).to_pylist() for column in batch)
        self._writer.writerows(zip(*columns, strict=True))

    def close(self) -> None:
        self._text.flush()
        self._text.detach()
