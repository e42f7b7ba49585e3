"""The file of a table: CSV, TSV or Parquet, packed or not, read in batches of rows.

pyarrow reads it: it comes with MLflow, streams in blocks, and loads in a tenth of a second and 16
MB, where pandas needs more of both, and the memory of the whole file several times.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from fitreel.checks.text import LONGEST_NAME, plain, shown
from fitreel.data.table.dialect import recognise
from fitreel.data.table.limits import BLOCK, check_bytes, check_columns
from fitreel.data.table.unpacking import is_packed, plain_errors, unpacked

if TYPE_CHECKING:
    import pyarrow

SAMPLE = 2**20  # bytes from which names and delimiter are recognised
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
    rows: int = 0  # as many as a Parquet file declares, 0 for CSV
    blank: int = 0  # lines above the names

    @property
    def suffix(self) -> str:
        """How a name of the file should end, which says what it is: .csv, .parquet.gz, …."""
        kind = {"": ".parquet", "\t": ".tsv"}.get(self.delimiter, ".csv")
        return kind + ".gz" * is_packed(self.path)

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

    def written_batches(self, columns: Sequence[str]) -> Iterator[tuple[Any, Any]]:
        """Yield rows as record batches twice: all columns as they are written, some as read."""
        import pyarrow

        everything = list(range(len(self.written)))
        places = [self.schema.names.index(name) for name in columns]
        texts = partial(self._texts, everything, as_written=True)
        with plain_errors(self.path.name):
            for batch in texts() if self.delimiter else self._typed(everything, 2**14):
                chosen = [batch.column(place) for place in places]
                found = pyarrow.RecordBatch.from_arrays(chosen, names=list(columns))
                whole = pyarrow.RecordBatch.from_arrays(batch.columns, names=list(self.written))
                yield whole, self._read(found) if self.delimiter else found

    def _read(self, texts: Any) -> Any:
        import pyarrow
        from pyarrow import compute

        missing = pyarrow.array(MISSING)
        cells = [compute.if_else(compute.is_in(each, missing), None, each) for each in texts]
        batch = pyarrow.RecordBatch.from_arrays(cells, names=texts.schema.names)
        return _with_points(batch) if self.delimiter != "," else batch

    def _texts(self, places: list[int], *, as_written: bool = False) -> Iterator[Any]:
        import pyarrow
        from pyarrow import csv

        names = [str(place) for place in range(len(self.written))]
        ragged = list[str]()

        def note(row: Any) -> str:
            count = f"{row.actual_columns:,} value{'s' * (row.actual_columns != 1)}"
            where = f"row {row.number - 1 - self.blank:,} of {self.path.name}"
            ragged.append(f"{where} has {count} for {row.expected_columns:,} columns")
            return "error"

        read = csv.ReadOptions(
            # Threads would hold more blocks at once, and do not know the number of a row.
            use_threads=False,
            block_size=BLOCK,
            skip_rows=self.blank,
            column_names=names,
            skip_rows_after_names=1,  # the first line: its names may be equal, or missing
        )
        parse = csv.ParseOptions(
            delimiter=self.delimiter, newlines_in_values=True, invalid_row_handler=note
        )
        convert = csv.ConvertOptions(
            include_columns=[names[place] for place in places],
            # pyarrow would take the types from the first block.
            column_types=dict.fromkeys(names, pyarrow.string()),
            null_values=MISSING,
            strings_can_be_null=not as_written,
        )
        with unpacked(self.path) as file:
            try:
                for batch in csv.open_csv(file, read, parse, convert):
                    has_points = as_written or self.delimiter == ","
                    yield batch if has_points else _with_points(batch)
            except pyarrow.ArrowInvalid:
                if ragged:
                    raise ValueError(ragged[0]) from None
                raise

    def _typed(self, places: list[int], most: int) -> Iterator[Any]:
        names = [self.written[place] for place in places]
        with unpacked(self.path, seekable=True) as file, _parquet(file) as whole:
            yield from whole.iter_batches(most, columns=names, use_threads=False)


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

    dialect = recognise(path, start, whole=len(start) < SAMPLE)
    schema = pyarrow.schema([(each, pyarrow.string()) for each in _names(path, dialect.names)])
    return TableFile(path, schema, dialect.names, dialect.delimiter, blank=dialect.blank)


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


def _with_points(batch: Any) -> Any:
    """Return texts in which numbers with a decimal comma have a point."""
    import pyarrow
    from pyarrow import compute

    columns = [
        compute.replace_substring_regex(texts, COMMA, r"\1.\2")
        if compute.any(compute.match_substring(texts, ",")).as_py()
        else texts
        for texts in batch
    ]
    return pyarrow.RecordBatch.from_arrays(columns, names=batch.schema.names)
