"""The survey of a table: what kind each column is, from all of its cells."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fitreel.data.table.cells import cleaned, is_text
from fitreel.data.table.file import TableFile
from fitreel.data.table.limits import check_numbers

Found = Literal["number", "boolean", "category", "date", "mixed", "written", "other"]
NUMBER = r"(?i)^[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf|infinity|nan)$"
BOOLEAN = "(?i)^(true|false)$"
DATE = (
    r"^(\d{4}-\d{1,2}-\d{1,2}|\d{4}/\d{1,2}/\d{1,2}|\d{1,2}[./-]\d{1,2}[./-](\d{4}|\d{2}))"
    r"([T ]\d{1,2}:\d{2}\S*)?$|^\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?$"
)
# Numbers that are written for people: 1,234.50, 1.234,50, $ 12, 12.5 %, and 1,5 among commas.
WRITTEN = (
    r"^[$€£]?\s?[+-]?\d{1,3}([,.' ]\d{3})+([.,]\d+)?\s?[%$€£]?$"
    r"|^[$€£]\s?[+-]?\d+([.,]\d+)?$|^[+-]?\d+([.,]\d+)?\s?[%$€£]$|^[+-]?\d*,\d+$"
)


@dataclass
class Survey:
    """What was found in the texts of a column so far; rows are counted from 1."""

    rows: int = 0
    numbers: int = 0
    booleans: int = 0
    dates: int = 0
    written: int = 0
    others: int = 0
    first: tuple[int, str] = (0, "")  # row and text of the first that is not a number

    def add(self, texts: Any) -> None:
        """Look at the next cells of the column."""
        import pyarrow
        from pyarrow import compute

        try:
            compute.cast(texts, pyarrow.float64())
            self.numbers += len(texts) - texts.null_count
        except pyarrow.ArrowInvalid:
            self._add_others(cleaned(texts))
        self.rows += len(texts)

    def _add_others(self, texts: Any) -> None:
        from pyarrow import compute

        is_number = compute.match_substring_regex(texts, NUMBER)
        is_other = compute.fill_null(compute.invert(is_number), False)
        others = texts.filter(is_other)
        self.numbers += len(texts) - texts.null_count - len(others)
        if len(others) and not self.first[0]:
            self.first = self.rows + 1 + compute.index(is_other, True).as_py(), others[0].as_py()
        booleans, dates, written = (_count(others, each) for each in (BOOLEAN, DATE, WRITTEN))
        self.booleans += booleans
        self.dates += dates
        self.written += written
        self.others += len(others)

    @property
    def kind(self) -> Found:
        """What the column is; mixed: most of its cells are numbers, but not all."""
        if not self.others:  # nor if all are missing
            return "number"
        if 2 * self.numbers > self.numbers + self.others:
            return "mixed"
        if self.booleans == self.others and not self.numbers:
            return "boolean"
        if self.dates == self.others and not self.numbers:
            return "date"
        return "written" if self.written == self.others else "category"


@dataclass(frozen=True)
class FoundColumn:
    """A column of a table, and what it is."""

    name: str
    kind: Found
    type: str
    first: tuple[int, str] = (0, "")


def survey(file: TableFile, columns: Sequence[str]) -> dict[str, FoundColumn]:
    """Return what some columns are; columns of texts are read once for it, in constant memory."""
    check_numbers(file.path.name, file.rows, len(columns))
    texts = {name: Survey() for name in columns if is_text(file.schema.field(name))}
    rows = 0
    for batch in file.batches(tuple(texts)) if texts else ():
        rows += len(batch)
        check_numbers(file.path.name, rows, len(columns))
        for each, cells in zip(texts.values(), batch.columns, strict=True):
            each.add(cells)
    found = {}
    for name in columns:
        kind = file.schema.field(name).type
        found[name] = (
            FoundColumn(name, texts[name].kind, "text", texts[name].first)
            if name in texts
            else FoundColumn(name, _typed(kind), str(kind))
        )
    return found


def _typed(kind: Any) -> Found:
    from pyarrow import types

    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return "number"
    if types.is_boolean(kind):
        return "boolean"
    if types.is_temporal(kind):
        return "date"
    if types.is_dictionary(kind):
        return "category"
    return "number" if types.is_null(kind) else "other"


def _count(texts: Any, pattern: str) -> int:
    from pyarrow import compute

    return compute.sum(compute.match_substring_regex(texts, pattern)).as_py() or 0
