"""The file of a table: CSV, TSV or Parquet, packed or not, read in batches of rows."""

import csv
import gzip
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fitreel.checks.text import plain, shown
from fitreel.data.table.limits import MOST_COLUMNS

if TYPE_CHECKING:
    import pyarrow

SAMPLE = 2**16  # bytes from which the delimiter is recognised
BLOCK = 2**22  # bytes of text that are read at once; a longer line is refused
DELIMITERS = ",;\t|"
# What pandas and R write for a missing value, and spreadsheets for a failed formula.
MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "-nan", "NULL", "null", "None", "#N/A", "<NA>")


@dataclass(frozen=True)
class TableFile:
    """A table whose names are known and whose rows are still in the file."""

    path: Path
    names: tuple[str, ...]  # of all columns, "" for one without a name
    delimiter: str  # "" for Parquet

    def batches(self, columns: Sequence[str], rows: int = 2**16) -> Iterator["pyarrow.RecordBatch"]:
        """Yield the rows of some columns; those of CSV are texts. Raises ValueError."""
        import pyarrow

        try:
            yield from (self._texts if self.delimiter else self._typed)(columns, rows)
        except (pyarrow.ArrowException, OSError, EOFError) as error:
            raise ValueError(f"{self.path.name} cannot be read: {_line(error)}") from None

    def _texts(self, columns: Sequence[str], rows: int) -> Iterator["pyarrow.RecordBatch"]:
        import pyarrow
        from pyarrow import csv as arrow_csv

        # Threads would hold more blocks at once, and save no time that counts.
        reader = arrow_csv.open_csv(
            unpacked(self.path),
            arrow_csv.ReadOptions(
                use_threads=False,
                block_size=BLOCK,
                column_names=_places(len(self.names)),
                skip_rows_after_names=1,
            ),
            arrow_csv.ParseOptions(delimiter=self.delimiter, newlines_in_values=True),
            arrow_csv.ConvertOptions(
                include_columns=[str(self.names.index(name)) for name in columns],
                column_types={place: pyarrow.string() for place in _places(len(self.names))},
                null_values=MISSING,
                strings_can_be_null=True,
            ),
        )
        for batch in reader:
            named = pyarrow.RecordBatch.from_arrays(batch.columns, names=list(columns))
            for start in range(0, len(named), rows):
                yield named.slice(start, rows)

    def _typed(self, columns: Sequence[str], rows: int) -> Iterator["pyarrow.RecordBatch"]:
        from pyarrow import parquet

        with parquet.ParquetFile(self.path) as file:
            for batch in file.iter_batches(rows, columns=list(columns), use_threads=False):
                yield batch.select(list(columns))


def open_table(path: Path) -> TableFile:
    """Read the names of a table's columns; ValueError names the file if it is not a table."""
    with unpacked(path) as file:
        start = file.read(SAMPLE)
    if start.startswith(b"PAR1"):
        from pyarrow import parquet

        names, delimiter = parquet.read_schema(path).names, ""
    else:
        names, delimiter = _header(path, start)
    names = [plain(name.strip()) for name in names]
    if len(names) > MOST_COLUMNS:
        raise ValueError(
            f"{path.name} has {len(names):,} columns; at most {MOST_COLUMNS:,} are allowed"
        )
    twice = [name for place, name in enumerate(names) if name and name in names[:place]]
    if twice:
        raise ValueError(f"{path.name} has two columns with the name '{shown(twice[0])}'")
    return TableFile(path, tuple(names), delimiter)


def unpacked(path: Path) -> io.BufferedIOBase:
    """Open a file; what gzip has packed is unpacked as it is read."""
    file = path.open("rb")
    start = file.read(2)
    file.seek(0)
    return gzip.GzipFile(fileobj=file) if start == b"\x1f\x8b" else file  # type: ignore[return-value]


def _header(path: Path, start: bytes) -> tuple[list[str], str]:
    if not start.strip():
        raise ValueError(f"{path.name} is empty")
    try:
        text = start.decode("utf-8-sig", errors="strict" if len(start) < SAMPLE else "ignore")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name} is not UTF-8: {error.reason}") from None
    delimiter = max(DELIMITERS, key=lambda each: text.partition("\n")[0].count(each))
    return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)), delimiter


def _places(count: int) -> list[str]:
    return [str(place) for place in range(count)]


def _line(error: BaseException) -> str:
    return shown(str(error).partition("\n")[0], 200)
