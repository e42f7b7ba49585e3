"""The file of a table: CSV, TSV or Parquet, packed or not, read in batches of rows.

pyarrow reads it: it comes with MLflow, streams in blocks, and loads in a tenth of a second and 16
MB, where pandas needs more of both, and the memory of the whole file several times.
"""

import gzip
import io
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from fitreel.checks.text import LONGEST_NAME, plain, shown
from fitreel.data.table.dialect import header
from fitreel.data.table.limits import check_bytes, check_columns

if TYPE_CHECKING:
    import pyarrow

SAMPLE = 2**20  # bytes from which names and delimiter are recognised
BLOCK = 2**20  # bytes of text that are read at once; a longer line is refused
# What pandas, R and SQL write for a missing value, and spreadsheets for a failed formula.
MISSING = ["", "NA", "N/A", "n/a", "NaN", "nan", "-nan", "NULL", "null", "None", "#N/A", "<NA>"]
COMMA = r"^(\s*[+-]?\d*),(\d+(?:[eE][+-]?\d+)?\s*)$"  # a number with a decimal comma


@dataclass(frozen=True)
class TableFile:
    """A table whose columns are known and whose rows are still in the file."""

    path: Path
    schema: "pyarrow.Schema"  # names, "" for a column without one, and types; of CSV all texts
    written: tuple[str, ...]  # the names as the file has them
    delimiter: str  # "" for Parquet
    rows: int  # as many as a Parquet file declares, 0 for CSV

    def batches(self, columns: Sequence[str], most: int = 2**14) -> Iterator[Any]:
        """Yield the rows of some columns as record batches of ``most`` rows at most.

        Raises ValueError, which names the file, if it is damaged.
        """
        import pyarrow

        places = [self.schema.names.index(name) for name in columns]
        with plain_errors(self.path.name):
            for batch in self._texts(places) if self.delimiter else self._typed(places, most):
                named = pyarrow.RecordBatch.from_arrays(batch.columns, names=list(columns))
                for start in range(0, len(named), most):
                    yield named.slice(start, most)
        # What the reader kept for itself would add to the dataset's own memory.
        pyarrow.default_memory_pool().release_unused()

    def _texts(self, places: list[int]) -> Iterator[Any]:
        import pyarrow
        from pyarrow import csv

        names = [str(place) for place in range(len(self.written))]
        with unpacked(self.path) as file:
            reader = csv.open_csv(
                file,
                csv.ReadOptions(
                    # Threads would hold more blocks at once, and do not know the number of a row.
                    use_threads=False,
                    block_size=BLOCK,
                    column_names=names,
                    skip_rows_after_names=1,
                ),
                csv.ParseOptions(
                    delimiter=self.delimiter,
                    newlines_in_values=True,
                    invalid_row_handler=self._refuse_row,
                ),
                csv.ConvertOptions(
                    include_columns=[names[place] for place in places],
                    # pyarrow would take the types from the first block.
                    column_types=dict.fromkeys(names, pyarrow.string()),
                    null_values=MISSING,
                    strings_can_be_null=True,
                ),
            )
            for batch in reader:
                columns = map(_decimal_points, batch) if self.delimiter != "," else batch.columns
                yield pyarrow.RecordBatch.from_arrays(list(columns), names=batch.schema.names)

    def _refuse_row(self, row: Any) -> str:
        raise ValueError(
            f"{self.path.name} has {row.actual_columns:,} values in row {row.number - 1:,}, "
            f"but {row.expected_columns:,} columns"
        )

    def _typed(self, places: list[int], most: int) -> Iterator[Any]:
        names = [self.written[place] for place in places]
        with unpacked(self.path, seekable=True) as file, _parquet(file) as whole:
            for batch in whole.iter_batches(most, columns=names, use_threads=False):
                yield batch.select(names)


def open_table(path: Path) -> TableFile:
    """Read the columns of a table; ValueError or OSError names a file that is not one."""
    if not path.exists():
        raise FileNotFoundError(f"{shown(str(path))} does not exist")
    if not path.is_file():
        raise ValueError(f"{shown(str(path))} is not a regular file")
    with plain_errors(path.name), unpacked(path) as file:
        start = file.read(SAMPLE)
    if start.startswith(b"PAR1"):
        return _open_parquet(path)
    import pyarrow

    written, delimiter = header(path, start, whole=len(start) < SAMPLE)
    names = _names(path, written)
    schema = pyarrow.schema([(name, pyarrow.string()) for name in names])
    return TableFile(path, schema, tuple(written), delimiter, 0)


def _open_parquet(path: Path) -> TableFile:
    import pyarrow

    with plain_errors(path.name), unpacked(path, seekable=True) as file:
        whole = _parquet(file)
        written, facts = whole.schema_arrow, whole.metadata
        groups = [facts.row_group(place) for place in range(facts.num_row_groups)]
    check_bytes(path.name, sum(max(0, group.total_byte_size) for group in groups))
    if facts.num_rows < 1:
        raise ValueError(f"{path.name} has no rows")
    fields = zip(_names(path, written.names), written.types, strict=True)
    return TableFile(path, pyarrow.schema(list(fields)), tuple(written.names), "", facts.num_rows)


def _parquet(file: BinaryIO) -> Any:
    from pyarrow import parquet

    # By default it reads all columns of a row group, often of the whole file, before the first row.
    return parquet.ParquetFile(file, buffer_size=2**16, pre_buffer=False)


def _names(path: Path, written: Sequence[str]) -> list[str]:
    """Return names that are harmless to show; ValueError if two are equal."""
    check_columns(path.name, len(written))
    names = [plain(name.strip()) for name in written]
    for place, name in enumerate(names):
        if len(name) > LONGEST_NAME:
            raise ValueError(
                f"a name in {path.name} has {len(name):,} letters; at most {LONGEST_NAME} are "
                "allowed"
            )
        if name and name in names[:place]:
            raise ValueError(f"{path.name} has two columns with the name '{shown(name)}'")
    return names


@contextmanager
def unpacked(path: Path, seekable: bool = False) -> Iterator[BinaryIO]:
    """Open a file; what gzip has packed is unpacked as it is read, or at once if it must seek."""
    with path.open("rb") as file:
        start = file.read(2)
        file.seek(0)
        if start != b"\x1f\x8b":
            check_bytes(path.name, path.stat().st_size)
            yield file
            return
        limited = io.BufferedReader(_Limited(gzip.GzipFile(fileobj=file), path.name))
        if not seekable:
            yield cast(BinaryIO, limited)
            return
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(limited, copy)
            copy.seek(0)
            yield cast(BinaryIO, copy)


class _Limited(io.RawIOBase):
    """A file that ends with an error: a few bytes of gzip may become terabytes."""

    def __init__(self, file: gzip.GzipFile, name: str) -> None:
        self._file = file
        self._name = name
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._file.readinto(buffer)
        self._count += count
        check_bytes(self._name, self._count)
        return count


@contextmanager
def plain_errors(name: str) -> Iterator[None]:
    """Raise ValueError, in one line with the name of the file, where it cannot be read."""
    import pyarrow

    try:
        yield
    except (pyarrow.ArrowException, OSError, EOFError, zlib.error) as error:
        line = shown(str(error).partition("\n")[0], 200)
        if "UTF8" in line:
            line = "it is not UTF-8; save it as UTF-8"
        elif "straddl" in line:
            line = f"a line has {BLOCK:,} bytes or more, or a quote is not closed"
        raise ValueError(f"{name} cannot be read: {line}") from None


def _decimal_points(cells: Any) -> Any:
    from pyarrow import compute

    if not compute.any(compute.match_substring(cells, ",")).as_py():
        return cells
    return compute.replace_substring_regex(cells, COMMA, r"\1.\2")
