"""The survey of a table: what kind each column is, from all its cells, and where cells are missing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fitreel.data.table.cells import DATE, NUMBER, as_numbers, is_text
from fitreel.data.table.file import TableFile
from fitreel.data.table.limits import check_numbers

if TYPE_CHECKING:
    import pyarrow

Found = Literal["empty", "number", "boolean", "category", "date", "mixed", "other"]


@dataclass
class Survey:
    """What was found in a column so far; rows are counted from 1."""

    name: str
    type: str = ""  # of Parquet, or string
    rows: int = 0
    missing: int = 0
    first_missing: int = 0
    numbers: int = 0
    booleans: int = 0
    dates: int = 0
    others: int = 0
    first_other: tuple[int, str] = (0, "")  # row and text of the first that is not a number

    def add(self, cells: "pyarrow.Array") -> None:
        """Look at the next cells of the column."""
        from pyarrow import compute, types

        self.type = str(cells.type)
        is_missing = compute.is_null(cells, nan_is_null=True)
        if missing := compute.sum(is_missing).as_py():
            self.first_missing = self.first_missing or (
                self.rows + 1 + compute.index(is_missing, True).as_py()
            )
            self.missing += missing
        present = len(cells) - (missing or 0)
        if is_text(cells):
            self._add_texts(cells, present)
        elif types.is_boolean(cells.type):
            self.booleans += present
        elif types.is_temporal(cells.type):
            self.dates += present
        elif (
            types.is_integer(cells.type)
            or types.is_floating(cells.type)
            or types.is_decimal(cells.type)
        ):
            self.numbers += present
        elif types.is_dictionary(cells.type):
            self.others += present
        self.rows += len(cells)

    def _add_texts(self, cells: "pyarrow.Array", present: int) -> None:
        import pyarrow
        from pyarrow import compute

        try:
            as_numbers(cells)
        except pyarrow.ArrowInvalid:
            pass
        else:
            self.numbers += present
            return
        trimmed = compute.utf8_trim_whitespace(cells)
        dots = compute.replace_substring(trimmed, ",", ".")
        is_number = compute.match_substring_regex(dots, NUMBER)
        self.numbers += compute.sum(is_number).as_py() or 0
        is_other = compute.fill_null(compute.invert(is_number), False)
        others = trimmed.filter(is_other)
        if len(others) and not self.others + self.booleans + self.dates:
            place = compute.index(is_other, True).as_py()
            self.first_other = self.rows + 1 + place, cells[place].as_py()
        booleans = _matches(others, "(?i)^(true|false)$")
        dates = _matches(others, DATE)
        self.booleans, self.dates = self.booleans + booleans, self.dates + dates
        self.others += len(others) - booleans - dates

    @property
    def kind(self) -> Found:
        """What the column is; mixed: most of its cells are numbers, but not all."""
        present = self.rows - self.missing
        if not present:
            return "empty"
        counts: dict[Found, int] = {
            "number": self.numbers,
            "boolean": self.booleans,
            "date": self.dates,
        }
        if not sum(counts.values()) + self.others:
            return "other"
        whole = next((kind for kind, count in counts.items() if count == present), None)
        return whole or ("mixed" if 2 * self.numbers > present else "category")


def survey(file: TableFile, columns: Sequence[str]) -> dict[str, Survey]:
    """Read all cells of some columns once, in constant memory, and return what they are."""
    found = {name: Survey(name) for name in columns}
    rows = 0
    for batch in file.batches(columns):
        rows += len(batch)
        check_numbers(file.path.name, rows, len(columns))
        for name, cells in zip(columns, batch.columns, strict=True):
            found[name].add(cells)
    return found


def _matches(cells: "pyarrow.Array", pattern: str) -> int:
    from pyarrow import compute

    return compute.sum(compute.match_substring_regex(cells, pattern)).as_py() or 0
